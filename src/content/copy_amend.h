#pragma once
// A copy of a context's directory whose tree is that of an earlier copy but for what is different: made as a
// snapshot that amends the earlier one. Its tree and its layer are those of a plain copy (copy_selection).
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>

#include "content/copied_list.h"
#include "content/selection_list.h"
#include "content/snapshots.h"
#include "content/tree.h"

namespace slipway {

/// A copy that was made, on what the new one is to be made on, by an equal action.
struct EarlierCopy {
  SnapshotId snapshot;
  CopiedList list;
};

/// Copies what `list` saw in the tree `from`, with owners, modes and times as `options` say. Nothing, and
/// nothing is left behind, if too much is different, files are no longer as they were listed or anything else
/// is in the way: copy_selection() is to do it then, or to say what is wrong. Throws Cancelled.
std::optional<SnapshotId> amend_copy(SnapshotStore& snapshots, const EarlierCopy& earlier,
                                     const RootedDir& from, const SelectionList& list,
                                     const std::function<CopyOptions(const RootedDir& target)>& options,
                                     std::int64_t created, const std::stop_token& stop);

}  // namespace slipway
