#include "base/moved_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/regular_file.h"
#include "base/rooted.h"
#include "base/strings.h"

namespace slipway {
namespace fs = std::filesystem;
namespace {

constexpr char kBetween = '\0';  // no path has one

fs::path note_of(const fs::path& directory) { return directory.native() + ".moved"; }

std::string identity_of(const struct stat& status) { return concat(status.st_dev, ":", status.st_ino); }

// By descriptors: a step may still be at work in the tree, or have left links there.
bool move_back(const fs::path& directory, const std::string& identity, const fs::path& root,
               const std::string& place) {
  try {
    const RootedDir tree(root);
    const RootedDir::Parent parent = tree.open_parent(place);
    struct stat there {};
    if (::fstatat(parent.directory.get(), parent.name.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISDIR(there.st_mode) || identity_of(there) != identity)
      return false;
    if (::renameat(parent.directory.get(), parent.name.c_str(), AT_FDCWD, directory.c_str()) != 0)
      return false;
  } catch (const SystemError&) {  // the tree is gone
    return false;
  }
  struct stat back {};
  if (::lstat(directory.c_str(), &back) == 0 && identity_of(back) == identity) return true;
  remove_tree(directory);  // something else was put there in between
  return false;
}

}  // namespace

void note_move(const fs::path& directory, const fs::path& root, std::string_view place) {
  struct stat status {};
  if (::lstat(directory.c_str(), &status) != 0) throw SystemError(errno, "stat", directory.native());
  write_file_atomic(note_of(directory),
                    concat(identity_of(status), std::string(1, kBetween), fs::absolute(root).native(),
                           std::string(1, kBetween), place),
                    Durability::None, 0600);
}

void forget_move(const fs::path& directory) noexcept { ::unlink(note_of(directory).c_str()); }

bool undo_move(const fs::path& directory) {
  const auto note = read_regular_file_if_exists(note_of(directory));
  if (!note) return false;
  struct stat status {};
  const bool missing = ::lstat(directory.c_str(), &status) != 0 && errno == ENOENT;
  const auto parts = split(*note, kBetween);
  const bool back = missing && parts.size() == 3 &&
                    move_back(directory, std::string(parts[0]), fs::path(parts[1]), std::string(parts[2]));
  forget_move(directory);
  return back;
}

}  // namespace slipway
