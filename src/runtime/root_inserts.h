#pragma once
// What a step finds in its root file system where no mounts are to be had: files, directories and links of
// ours are put in before it and taken out after it, so that the result holds only what the step itself wrote.
// What they hide of the image is kept aside meanwhile. For mount points see mount_stubs.h.
#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/logger.h"
#include "base/rooted.h"

namespace slipway {

/// Each place is resolved in the root as it then is, so what lies in another insert comes after that. The
/// destructor takes out everything, last first, whatever the step made of it: what is at a place by then
/// counts as the insert. Directories keep the times they had, unless the step changed them. Not thread-safe.
class RootInserts {
 public:
  /// `aside`: an empty directory of ours on the root's file system.
  RootInserts(const RootedDir& root, std::filesystem::path aside, Logger& logger);
  ~RootInserts();
  RootInserts(const RootInserts&) = delete;
  RootInserts& operator=(const RootInserts&) = delete;

  struct FileOptions {
    unsigned uid = 0, gid = 0, mode = 0644;
    bool secret = false;  ///< its bytes are overwritten at the end, wherever the step moved the file
  };
  // All of these throw SystemError, and InvalidInput where a file is in the way to the place.

  void add_file(std::string_view place, std::string_view bytes, const FileOptions& options);
  /// A file or directory outside, which is in the root until the end and then back: one of the caller's
  /// alone, on the root's file system. Returns the place without links.
  std::string add_moved(std::string_view place, const std::filesystem::path& source);
  /// The same for a directory that can be had back by undo_move() if this process is killed.
  std::string add_lasting(std::string_view place, const std::filesystem::path& source,
                          const std::filesystem::path& root);
  void add_link(std::string_view place, const std::string& target);
  /// For what the caller makes itself at the place, which is free then: returns its path without links.
  std::string add_place(std::string_view place);

 private:
  enum class Kind { Directory, Thing, Moved };
  struct Insert {
    Kind kind = Kind::Thing;
    std::size_t parent = 0;  ///< in parents_
    std::string name;
    std::string shown;
    std::filesystem::path aside;   ///< where what was there is; empty: nothing was
    std::filesystem::path source;  ///< Moved
    bool lasting = false;          ///< Moved
    UniqueFd secret;
    struct stat made {};  ///< Directory
  };
  struct Parent {
    UniqueFd directory;  ///< stays right wherever the step moves it
    struct timespec access {
    }, modification{}, after{};
  };

  Insert& begin(std::string_view place, Kind kind);
  std::size_t parent_of(const std::string& path);
  void make_parents(const std::string& path);
  void note_change(std::size_t parent);
  void take_out(Insert& insert);
  void discard(const Insert& insert);
  std::string move_in(Insert& insert, const std::filesystem::path& source);
  void move_back(const Insert& insert);
  std::filesystem::path new_name_aside();

  const RootedDir& root_;
  const std::filesystem::path aside_;
  Logger& logger_;
  std::vector<Insert> inserts_;
  std::vector<Parent> parents_;
  std::map<std::pair<dev_t, ino_t>, std::size_t> parents_by_inode_;
  unsigned names_aside_ = 0;
};

}  // namespace slipway
