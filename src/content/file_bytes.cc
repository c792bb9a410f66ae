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

FileExtent next_data(int fd, std::uint64_t position, std::string_view shown) {
  const auto seek = [&](std::uint64_t from, int whence) {
    const off_t found = ::lseek(fd, static_cast<off_t>(from), whence);
    // ENXIO: nothing but a hole from there on. EINVAL: a file system that knows no holes.
    if (found < 0 && errno != ENXIO && errno != EINVAL) throw SystemError(errno, "seek in", shown);
    return found;
  };
  const off_t data = seek(position, SEEK_DATA);
  const bool knows_holes = data >= 0 || errno == ENXIO;
  const off_t hole = data >= 0 ? seek(static_cast<std::uint64_t>(data), SEEK_HOLE) : -1;
  if (data >= 0 && hole >= 0)
    return {.begin = static_cast<std::uint64_t>(data), .end = static_cast<std::uint64_t>(hole)};
  const auto size = static_cast<std::uint64_t>(std::max<off_t>(seek(0, SEEK_END), 0));
  return {.begin = knows_holes ? std::max(size, position) : position, .end = std::max(size, position)};
}

namespace {

constexpr std::uint64_t kSmall = std::uint64_t{64} << 10;

/// By way of our memory: between file systems, and from files that have no size (procfs).
void copy_by_reading(int from, int to, FileExtent extent, std::string_view shown,
                     const std::stop_token& stop) {
  std::vector<char> block(kBlock);
  while (extent.begin < extent.end) {
    if (stop.stop_requested()) throw Cancelled{};
    const std::size_t most = std::min<std::uint64_t>(block.size(), extent.end - extent.begin);
    const ssize_t n = ::pread(from, block.data(), most, static_cast<off_t>(extent.begin));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw SystemError(errno, "read", shown);
    if (n == 0) return;
    write_at(to, extent.begin, std::string_view(block.data(), static_cast<std::size_t>(n)), shown);
    extent.begin += static_cast<std::uint64_t>(n);
  }
}

void copy_extent(int from, int to, FileExtent extent, std::string_view shown, const std::stop_token& stop) {
  auto in = static_cast<off64_t>(extent.begin), out = in;
  while (static_cast<std::uint64_t>(in) < extent.end) {
    if (stop.stop_requested()) throw Cancelled{};
    const std::uint64_t left = extent.end - static_cast<std::uint64_t>(in);
    const ssize_t n = ::copy_file_range(from, &in, to, &out, std::min<std::uint64_t>(left, kCopyStep), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n > 0) continue;
    // EXDEV, ENOSYS, EINVAL: not between these two file systems. 0 bytes: the file has shrunk, or procfs.
    if (n < 0 && static_cast<std::uint64_t>(in) > extent.begin) throw SystemError(errno, "copy", shown);
    extent.begin = static_cast<std::uint64_t>(in);
    return copy_by_reading(from, to, extent, shown, stop);
  }
}

}  // namespace

void write_at(int fd, std::uint64_t offset, std::string_view bytes, std::string_view shown) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw SystemError(errno, "write", shown);
    offset += static_cast<std::uint64_t>(n);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

void copy_bytes(int from, int to, std::uint64_t size, std::string_view shown, const std::stop_token& stop) {
  if (size == 0 || ::ioctl(to, FICLONE, from) == 0) return;
  if (size < kSmall) return copy_extent(from, to, {.begin = 0, .end = size}, shown, stop);
  std::uint64_t position = 0;
  while (position < size) {
    const FileExtent data = next_data(from, position, shown);
    // Empty: only a hole follows, or the file has become shorter.
    if (data.begin >= std::min(data.end, size)) break;
    position = std::min(data.end, size);
    copy_extent(from, to, {.begin = data.begin, .end = position}, shown, stop);
  }
  if (position < size && ::ftruncate(to, static_cast<off_t>(size)) != 0)
    throw SystemError(errno, "truncate", shown);
}

}  // namespace slipway
