#pragma once
// A step of root's may write where modes forbid it: into directories of mode 0555, files of mode 0. A process
// that is not root has no such right, so in a tree that it is to write to, all that is its own is opened up,
// and what nobody else changed meanwhile counts as closed again when the tree is committed. Private to this
// module.
#include "base/rooted.h"
#include "content/tree_listing.h"

namespace slipway {

/// Gives the owner all rights to what is listed; `listing` says afterwards what the tree is like then. Throws
/// SystemError.
void open_up(const RootedDir& tree, ListedEntry& listing);

/// Puts the modes that open_up() found back into its listing, and into that of the same tree later where the
/// mode is still the one it gave. The tree stays open.
void count_as_closed(ListedEntry& before, ListedEntry& after);

}  // namespace slipway
