#include "content/blob_digest.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "base/unique_fd.h"
#include "content/file_bytes.h"

namespace slipway {

bool is_blob(const std::filesystem::path& path, const Digest& digest) {
  // What is in its place may be a FIFO: that is not waited for, and nobody writes into it.
  const UniqueFd fd{::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC)};
  if (!fd && (errno == ENOENT || errno == ELOOP || errno == ENXIO)) return false;
  if (!fd) throw SystemError(errno, "open", path.native());
  Sha256 hash;
  std::string buffer(std::size_t{1} << 20, '\0');
  while (true) {
    const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EISDIR || errno == EAGAIN)) return false;
    if (n < 0) throw SystemError(errno, "read", path.native());
    if (n == 0) return hash.finish() == digest;
    hash.update(buffer.data(), static_cast<std::size_t>(n));
  }
}

bool has_blob_size(const std::filesystem::path& path, std::uint64_t size) {
  std::error_code error;
  return std::filesystem::is_regular_file(path, error) && std::filesystem::file_size(path, error) == size &&
         !error;
}

void copy_blob_bytes(int from, int to, const Digest& digest, std::uint64_t size, std::string_view shown,
                     const std::stop_token& stop) {
  const bool shared = ::ioctl(to, FICLONE, from) == 0;
  Sha256 hash;
  const std::uint64_t total = read_blocks(shared ? to : from, shown, stop, [&](std::string_view bytes) {
    hash.update(bytes);
    if (!shared) write_all(to, bytes, shown);
  });
  if (total == size && hash.finish() == digest) return;
  IntegrityError damaged(total == size ? concat("the bytes of blob ", digest.str(), " have another digest")
                                       : concat("blob ", digest.str(), " has ", total, " bytes, not ", size));
  damaged.set_hint(
      "`slipway store check --repair` removes what is damaged: it is then pulled or built again.");
  throw damaged;
}

}  // namespace slipway
