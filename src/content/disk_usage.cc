#include "content/disk_usage.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/unique_fd.h"

namespace slipway {
namespace {

// One descriptor a level. Deeper trees exist only to do harm; what is below counts as nothing.
constexpr int kDeepest = 400;
constexpr std::uint64_t kBlock = 512;  // of st_blocks, whatever the file system's own

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

Directory open_directory(int parent, const char* name) {
  UniqueFd fd{::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (!fd && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)) return nullptr;
  if (!fd) throw SystemError(errno, "open", name);
  DIR* opened = ::fdopendir(fd.get());
  if (!opened) throw SystemError(errno, "opendir", name);
  fd.release();
  return Directory(opened);
}

/// The next name but . and ..; nothing at the end.
const char* next_name(DIR* directory) {
  while (const struct dirent* entry = ::readdir(directory))
    if (std::string_view name = entry->d_name; name != "." && name != "..") return entry->d_name;
  return nullptr;
}

}  // namespace

std::uint64_t DiskUsage::below(int parent, const char* name, int depth) {
  if (stop_.stop_requested()) throw Cancelled{};
  struct stat status {};
  if (::fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return 0;
    throw SystemError(errno, "stat", name);
  }
  if (status.st_nlink > 1 && !S_ISDIR(status.st_mode) && !seen_.emplace(status.st_dev, status.st_ino).second)
    return 0;
  std::uint64_t total = static_cast<std::uint64_t>(status.st_blocks) * kBlock;
  if (!S_ISDIR(status.st_mode) || depth > kDeepest) return total;
  const Directory directory = open_directory(parent, name);
  if (!directory) return total;
  while (const char* entry = next_name(directory.get()))
    total += below(::dirfd(directory.get()), entry, depth + 1);
  return total;
}

std::uint64_t DiskUsage::of_tree(const std::filesystem::path& path) {
  return below(AT_FDCWD, path.c_str(), 0);
}

std::uint64_t DiskUsage::of_itself(const std::filesystem::path& path) {
  return below(AT_FDCWD, path.c_str(), kDeepest + 1);
}

std::uint64_t DiskUsage::of_entries(const std::filesystem::path& path) {
  std::uint64_t total = of_itself(path);
  const Directory directory = open_directory(AT_FDCWD, path.c_str());
  if (!directory) return total;
  while (const char* entry = next_name(directory.get())) {
    struct stat status {};
    if (::fstatat(::dirfd(directory.get()), entry, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
        !S_ISDIR(status.st_mode))
      total += below(::dirfd(directory.get()), entry, 0);
  }
  return total;
}

}  // namespace slipway
