#include "content/blob_digest.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "base/error.h"
#include "base/unique_fd.h"

namespace slipway {

bool is_blob(const std::filesystem::path& path, const Digest& digest) {
  const UniqueFd fd{::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC)};
  if (!fd && (errno == ENOENT || errno == ELOOP)) return false;
  if (!fd) throw SystemError(errno, "open", path.native());
  Sha256 hash;
  std::string buffer(std::size_t{1} << 20, '\0');
  while (true) {
    const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EISDIR) return false;
    if (n < 0) throw SystemError(errno, "read", path.native());
    if (n == 0) return hash.finish() == digest;
    hash.update(buffer.data(), static_cast<std::size_t>(n));
  }
}

}  // namespace slipway
