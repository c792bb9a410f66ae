#pragma once
// Copies single files, links and nodes with all that a step may see of them, for trees of copies
// (tree_mode.h). What this process may not set (owners, devices, file capabilities) is left as it can be had.
// Private to this module.
#include <sys/stat.h>

#include <map>
#include <stop_token>
#include <string>
#include <utility>

#include "base/rooted.h"

namespace slipway {

/// A name in an open directory.
struct NodePlace {
  int directory = -1;
  std::string name;
  std::string path;  ///< from the tree's root, for links and messages
};

enum class FileBytes {
  Own,     ///< shared by reflink or copied: the copy may be written to
  Linked,  ///< a second name where that is possible: nobody may write to it
};

/// Copies into one tree; second names of one file become second names of its copy. Not thread-safe.
class NodeCopy {
 public:
  /// `target` outlives this.
  NodeCopy(const RootedDir& target, FileBytes bytes, std::stop_token stop)
      : target_(target), bytes_(bytes), stop_(std::move(stop)) {}

  /// Anything but a directory; nothing is at `to` yet. Throws SystemError, Cancelled.
  void copy(const NodePlace& from, const struct stat& status, const NodePlace& to);
  /// Owner, mode, attributes and times of a directory, once it is filled.
  void finish_directory(int from, const struct stat& status, int to, const std::string& path) const;

 private:
  bool link_to_copy(const struct stat& status, const NodePlace& to);
  void copy_file(const NodePlace& from, const struct stat& status, const NodePlace& to);
  void copy_special(const NodePlace& from, const struct stat& status, const NodePlace& to) const;

  const RootedDir& target_;
  const FileBytes bytes_;
  const std::stop_token stop_;
  std::map<std::pair<dev_t, ino_t>, std::string> copied_;  ///< where what has more names is in the target
};

/// True if both open files have the same bytes and attributes; what stat says of them is equal already.
bool same_content(int one, int other, const std::string& path, const std::stop_token& stop);

/// Opens what is ours for reading, also where its mode keeps us out and no privilege helps: it is opened up
/// for that moment, which changes its ctime. Never for files that are not slipway's own copies. Throws
/// SystemError.
UniqueFd open_own(int directory, const std::string& name, int flags, std::string_view shown);

}  // namespace slipway
