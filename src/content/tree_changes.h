#pragma once
// What happened to a tree between two listings, written down as overlayfs would have: the directory of a
// snapshot's own changes. Private to this module.
#include <stop_token>

#include "base/rooted.h"
#include "content/lower_view.h"
#include "content/tree_listing.h"

namespace slipway {

/// Copies what is new or changed in `tree` into the empty directory `upper`; vanished names become whiteouts,
/// directories in the place of something else opaque. `before` and `after` are listings of `tree`, which
/// nobody changes now; `lower` is what it showed at first, and tells whether a file of which only the ctime
/// is new has changed at all (it does when another name of it comes or goes, or it is moved away and back).
/// Throws SystemError, HostError, Cancelled.
void write_changes(const ListedEntry& before, const ListedEntry& after, const RootedDir& tree,
                   const LowerDirectory& lower, const RootedDir& upper, const std::stop_token& stop);

}  // namespace slipway
