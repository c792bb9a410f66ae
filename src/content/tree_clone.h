#pragma once
// A merged tree as a plain one. Private to this module.
#include <stop_token>

#include "base/rooted.h"
#include "content/lower_view.h"
#include "content/node_copy.h"

namespace slipway {

/// Fills the empty directory `target` with all that `from` shows, owners, attributes and times included.
/// Throws SystemError, Cancelled.
void clone_tree(const LowerDirectory& from, FileBytes bytes, const RootedDir& target,
                const std::stop_token& stop);

}  // namespace slipway
