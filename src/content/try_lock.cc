#include "content/try_lock.h"

#include <fcntl.h>

#include <cerrno>

#include "base/error.h"

namespace slipway {

std::optional<FileLock> try_lock_file(const std::filesystem::path& path) {
  UniqueFd fd{::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC)};
  if (!fd && errno == ENOENT) return std::nullopt;
  if (!fd) throw SystemError(errno, "open", path.native());
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return std::nullopt;
    if (errno != EINTR) throw SystemError(errno, "flock", path.native());
  }
  return FileLock(std::move(fd));
}

}  // namespace slipway
