#pragma once
// What the snapshots below show, read from their directories without a mount: whiteouts hide, opaque
// directories and files in between cut off what is further down (kernel docs, filesystems/overlayfs.rst).
// Internal to packing and unpacking.
#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "content/ids.h"
#include "content/overlay_marks.h"

namespace slipway {

class SnapshotStore;

/// One directory as the lower snapshots show it. A value; copying is cheap enough for a walk.
class LowerDirectory {
 public:
  /// Shows nothing.
  LowerDirectory() = default;
  /// The root of a snapshot with all that is below it; nothing for no snapshot.
  static LowerDirectory root_of(const SnapshotStore& snapshots, const std::optional<SnapshotId>& snapshot);
  /// A plain directory as the only one.
  static LowerDirectory of(std::filesystem::path directory);

  bool shows_nothing() const { return merged_.empty(); }

  struct Found {
    std::filesystem::path path;  ///< where the uppermost one really is
    struct stat status {};
  };
  std::optional<Found> find(const std::string& name) const;
  /// All names that are shown, sorted.
  std::vector<std::string> names() const;
  /// The same with what they are.
  std::map<std::string, Found> entries() const;
  /// The directory `name` in it; shows nothing if that is no directory here.
  LowerDirectory enter(const std::string& name) const;
  /// The uppermost directory itself.
  std::optional<Found> self() const;

 private:
  std::vector<std::filesystem::path> merged_;  ///< uppermost first
};

}  // namespace slipway
