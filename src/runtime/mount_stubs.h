#pragma once
// Mount points in a root file system that does not have them. A bind mount needs something to sit on; what is
// made for that must not stay behind in the layer, nor may the times of the directories around it tell that
// it was there.
#include <sys/stat.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/logger.h"
#include "base/rooted.h"

namespace slipway {

/// Where `path` leads in the tree: absolute, without links, ".", ".." and repeated slashes. What does not
/// exist is kept as it is written. Throws InvalidInput for a loop of links.
std::string resolve_in_root(const RootedDir& root, std::string_view path);

/// Makes mount points; the destructor takes them away again (only those that it made, and only if they are
/// still as it made them). Nothing may be mounted on them by then. Not thread-safe.
class MountStubs {
 public:
  MountStubs(const RootedDir& root, Logger& logger) : root_(root), logger_(logger) {}
  ~MountStubs();
  MountStubs(const MountStubs&) = delete;
  MountStubs& operator=(const MountStubs&) = delete;

  enum class Kind { File, Directory };
  /// Returns the path without links where `path` is mounted. Throws InvalidInput if something of the other
  /// kind is there.
  std::string add(std::string_view path, Kind kind);

 private:
  struct Stub {
    std::string path;
    struct stat made;
  };
  struct Times {
    struct timespec access, modification;
  };
  struct Parent {
    Times before;              ///< as the image has them
    struct timespec after {};  ///< modification time once all stubs were made
  };
  void make(const std::string& path, Kind kind);
  void remove(const Stub& stub);
  void remember_times(const std::string& directory);

  const RootedDir& root_;
  Logger& logger_;
  std::vector<Stub> stubs_;                ///< in the order they were made
  std::map<std::string, Parent> parents_;  ///< directories of the image in which a stub was made
};

}  // namespace slipway
