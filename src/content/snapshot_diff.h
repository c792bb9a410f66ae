#pragma once
// What one snapshot changes of another, as a tree of its own (LLB's diff).
#include <cstdint>
#include <optional>
#include <stop_token>

#include "content/ids.h"

namespace slipway {

class Store;

struct SnapshotDiff {
  std::optional<SnapshotId> tree;  ///< what is new or other; nothing if nothing is
  /// Something was deleted: the tree cannot show it, but its layers have it, and so has what the tree is
  /// merged over (snapshot_merge.h), as long as those layers' snapshots are in the store.
  bool deletes = false;
};

/// From `lower` to `upper`, nothing being an empty tree. If `upper` stands on `lower`, its layers above that
/// are the result's; otherwise both trees are walked. Files are the same if kind, mode, owner, size, time,
/// content and attributes are; directories whatever their times. Nothing is copied. Throws SystemError,
/// NotFound, Cancelled; nothing remains then.
SnapshotDiff diff_snapshots(Store& store, const std::optional<SnapshotId>& lower,
                            const std::optional<SnapshotId>& upper, std::int64_t created,
                            std::stop_token stop);

}  // namespace slipway
