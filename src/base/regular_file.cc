#include "base/regular_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"

namespace slipway {
namespace fs = std::filesystem;

namespace {

/// O_NONBLOCK means nothing to a regular file. A socket cannot be opened, nor a FIFO for writing that nobody
/// reads: then there is no descriptor.
UniqueFd open_nonblocking(const fs::path& path, int flags, unsigned mode) {
  UniqueFd fd{::open(path.c_str(), flags | O_NONBLOCK | O_CLOEXEC, mode)};
  if (!fd && errno != ENXIO) throw SystemError(errno, "open", path.native());
  return fd;
}

bool is_regular(const UniqueFd& fd, const fs::path& path) {
  struct stat status {};
  if (fd && ::fstat(fd.get(), &status) != 0) throw SystemError(errno, "stat", path.native());
  return fd && S_ISREG(status.st_mode);
}

}  // namespace

UniqueFd open_regular_file(const fs::path& path, int flags, unsigned mode) {
  UniqueFd fd = open_nonblocking(path, flags, mode);
  if (!is_regular(fd, path)) throw InvalidInput(concat(path.native(), " is no regular file"));
  return fd;
}

std::string read_regular_file(const fs::path& path, std::size_t limit) {
  return read_all(open_regular_file(path, O_RDONLY).get(), path.native(), limit);
}

std::optional<std::string> read_regular_file_if_exists(const fs::path& path) {
  try {
    const UniqueFd fd = open_nonblocking(path, O_RDONLY, 0);
    if (!is_regular(fd, path)) return std::nullopt;
    return read_all(fd.get(), path.native());
  } catch (const SystemError& e) {
    if (e.error_number() == ENOENT || e.error_number() == ENOTDIR) return std::nullopt;
    throw;
  }
}

}  // namespace slipway
