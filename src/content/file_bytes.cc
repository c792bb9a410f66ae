#include "content/file_bytes.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"

namespace slipway {
namespace {

constexpr std::size_t kBlock = std::size_t{256} << 10;
/// How much the kernel copies between two looks at the stop token.
constexpr std::size_t kCopyStep = std::size_t{64} << 20;

struct DirectoryStream {
  DIR* stream = nullptr;
  ~DirectoryStream() {
    if (stream) ::closedir(stream);
  }
};

}  // namespace

UniqueFd open_at(int directory, const std::string& name, int flags, std::string_view shown) {
  UniqueFd fd{::openat(directory, name.c_str(), flags | O_CLOEXEC | O_NOFOLLOW)};
  if (!fd) throw SystemError(errno, "open", shown);
  return fd;
}

std::vector<std::string> sorted_names(int directory, std::string_view shown) {
  // A descriptor of its own: a duplicate would share the position with other readers of `directory`.
  UniqueFd own = open_at(directory, ".", O_RDONLY | O_DIRECTORY, shown);
  DirectoryStream open{::fdopendir(own.get())};
  if (!open.stream) throw SystemError(errno, "open", shown);
  own.release();
  std::vector<std::string> names;
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(open.stream);
    if (!entry && errno != 0) throw SystemError(errno, "read directory", shown);
    if (!entry) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::ranges::sort(names);
  return names;
}

std::string link_target(int directory, const std::string& name, std::string_view shown) {
  std::string target(PATH_MAX, '\0');
  const ssize_t n = ::readlinkat(directory, name.c_str(), target.data(), target.size());
  if (n < 0) throw SystemError(errno, "readlink", shown);
  target.resize(static_cast<std::size_t>(n));
  return target;
}

std::uint64_t read_blocks(int fd, std::string_view shown, const std::stop_token& stop,
                          const std::function<void(std::string_view)>& use) {
  std::string block(kBlock, '\0');
  std::uint64_t total = 0;
  while (true) {
    if (stop.stop_requested()) throw Cancelled{};
    const ssize_t n = ::read(fd, block.data(), block.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw SystemError(errno, "read", shown);
    if (n == 0) return total;
    total += static_cast<std::uint64_t>(n);
    use(std::string_view(block).substr(0, static_cast<std::size_t>(n)));
  }
}

void copy_bytes(int from, int to, std::uint64_t size, std::string_view shown, const std::stop_token& stop) {
  if (size == 0) return;
  if (::ioctl(to, FICLONE, from) == 0) return;
  bool copied_any = false;
  while (true) {
    if (stop.stop_requested()) throw Cancelled{};
    const ssize_t n = ::copy_file_range(from, nullptr, to, nullptr, kCopyStep, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n == 0 && copied_any) return;
    if (n <= 0) break;
    copied_any = true;
  }
  // EXDEV, ENOSYS, EINVAL: not between these two file systems. 0 bytes at once: a file of procfs or the like.
  if (copied_any) throw SystemError(errno, "copy", shown);
  read_blocks(from, shown, stop, [&](std::string_view bytes) { write_all(to, bytes, shown); });
}

}  // namespace slipway
