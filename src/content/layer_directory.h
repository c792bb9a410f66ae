#pragma once
// What one layer changes, as its snapshots keep it: usually one directory; of a snapshot that amends another
// (snapshots.h) both, merged as overlayfs would. Deletions and opaque directories show as such, since a layer
// has marks for them. Private to this module.
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "content/snapshots.h"

namespace slipway {

/// One directory of a layer, open. Move-only.
class LayerDirectory {
 public:
  static LayerDirectory root_of(const SnapshotStore& snapshots, SnapshotId snapshot);
  /// A plain directory.
  static LayerDirectory of(UniqueFd directory);

  struct Entry {
    int directory = -1;  ///< which holds it
    std::string name;
  };
  /// Sorted by name, the uppermost of each. Throws SystemError.
  std::vector<Entry> entries(const std::string& shown) const;
  /// The directory of that entry.
  LayerDirectory enter(const Entry& entry, const std::string& shown) const;
  /// The uppermost, whose owner, mode, attributes and times are the directory's.
  int fd() const { return parts_.front().get(); }
  /// True if it hides what is below the layer.
  bool is_opaque() const;

 private:
  std::vector<UniqueFd> parts_;  ///< uppermost first
  bool hides_ = false;           ///< further parts, which are not in parts_, and with them all that is below
};

}  // namespace slipway
