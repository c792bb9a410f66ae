#pragma once
// What a tree is like at one moment, so that what changed in it later can be told without overlayfs. Private
// to this module.
#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "content/kept_xattrs.h"

namespace slipway {

struct ListedEntry;
using ListedEntries = std::vector<ListedEntry>;  ///< by name

struct ListedEntry {
  std::string name;
  struct stat status {};
  std::int64_t born =
      0;  ///< nanoseconds; 0 where the file system does not say. Inode numbers are used again.
  std::optional<mode_t> closed_mode;  ///< st_mode before it was opened up (tree_access.h)
  Xattrs xattrs;                      ///< of a directory; a file's are told by its ctime
  ListedEntries contents;             ///< of a directory

  bool is_directory() const { return S_ISDIR(status.st_mode); }
  bool is_same_inode(const ListedEntry& other) const;
  const ListedEntry* find(const std::string& name) const;
};

/// The directory with all that is in it; names that mark deletions are not there. Throws SystemError,
/// Cancelled, InvalidInput for a tree too deep.
ListedEntry list_tree(int directory, const std::stop_token& stop);

/// Returns at the moment from which on every change gets a later ctime than any listed: clocks of file
/// systems are coarse.
void wait_for_later_ctimes(const ListedEntry& listing);

std::int64_t nanoseconds(const struct timespec& time);

}  // namespace slipway
