#pragma once
// What one layer changes, as its snapshots keep it: usually one directory; of a snapshot that amends another
// (snapshots.h) both, merged. Deletions and opaque directories show as such, since a layer has marks for them:
// those of the lowest part. What an upper part deletes is only what the parts below it made. Private to this
// module.
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
  /// Of the lowest part; -1 if an upper one hides it, or it has no such directory.
  int lowest() const { return is_cut_ ? -1 : parts_.back().get(); }

  std::vector<UniqueFd> parts_;  ///< uppermost first
  bool is_cut_ = false;          ///< the lowest part is not in parts_
  bool opaque_ = false;          ///< if so: what that has there hides what is below the layer
};

}  // namespace slipway
