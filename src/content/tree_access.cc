#include "content/tree_access.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/strings.h"

namespace slipway {
namespace {

/// Outer directories first: their contents are reached through them.
void open_entry(int directory, ListedEntry& entry, const std::string& path) {
  const mode_t wanted = S_ISDIR(entry.status.st_mode) ? 0700 : S_ISREG(entry.status.st_mode) ? 0600 : 0;
  if ((entry.status.st_mode & wanted) != wanted) {
    const std::string name = entry.name.empty() ? "." : entry.name;
    if (::fchmodat(directory, name.c_str(), (entry.status.st_mode & 07777) | wanted, 0) != 0)
      throw SystemError(errno, "chmod", path);
    entry.closed_mode = entry.status.st_mode;
    entry.status.st_mode |= wanted;
    struct stat now {};
    if (::fstatat(directory, name.c_str(), &now, AT_SYMLINK_NOFOLLOW) != 0)
      throw SystemError(errno, "stat", path);
    entry.status.st_ctim = now.st_ctim;
  }
  if (!entry.is_directory() || entry.contents.empty()) return;
  const UniqueFd own{entry.name.empty() ? ::fcntl(directory, F_DUPFD_CLOEXEC, 0)
                                        : ::openat(directory, entry.name.c_str(),
                                                   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (!own) throw SystemError(errno, "open", path);
  for (ListedEntry& inner : entry.contents) open_entry(own.get(), inner, concat(path, "/", inner.name));
}

}  // namespace

void open_up(const RootedDir& tree, ListedEntry& listing) {
  const UniqueFd root = tree.open(".", O_RDONLY | O_DIRECTORY);
  open_entry(root.get(), listing, "");
}

void count_as_closed(ListedEntry& before, ListedEntry& after) {
  if (before.closed_mode) {
    if (before.is_same_inode(after) && after.status.st_mode == before.status.st_mode)
      after.status.st_mode = *before.closed_mode;
    before.status.st_mode = *before.closed_mode;
    before.closed_mode.reset();
  }
  auto later = after.contents.begin();
  for (ListedEntry& inner : before.contents) {
    later =
        std::lower_bound(later, after.contents.end(), inner.name,
                         [](const ListedEntry& entry, const std::string& name) { return entry.name < name; });
    if (later == after.contents.end()) break;
    if (later->name == inner.name) count_as_closed(inner, *later);
  }
}

}  // namespace slipway
