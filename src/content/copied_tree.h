#pragma once
// The merged trees of TreeMode::Copies: plain directories, and those of finished steps that the next one may
// take over. Private to this module.
#include <cstddef>
#include <filesystem>
#include <list>
#include <memory>
#include <utility>

#include "base/files.h"
#include "base/synchronized.h"
#include "content/ids.h"
#include "content/tree_listing.h"

namespace slipway {

/// Removed when destroyed.
struct CopiedTree {
  TempDir directory;
  ListedEntry listing;  ///< as it was made, or when it was last committed
  std::filesystem::path root() const { return directory.path() / "root"; }
};

/// Most steps stand on the one that has just ended: its tree saves them a copy. Thread-safe.
class KeptTrees {
 public:
  /// `tree` shows the snapshot; the one kept for longest goes if there are too many.
  void put(SnapshotId id, std::shared_ptr<CopiedTree> tree);
  /// To be written to, by one alone; null if there is none, or somebody reads it.
  std::shared_ptr<CopiedTree> take(SnapshotId id);
  /// To be read while others may, too; or null. Shared with this, and with other readers.
  std::shared_ptr<const CopiedTree> borrow(SnapshotId id);
  void forget(SnapshotId id);

 private:
  using Trees = std::list<std::pair<SnapshotId, std::shared_ptr<CopiedTree>>>;  ///< oldest first
  Synchronized<Trees> trees_;
};

}  // namespace slipway
