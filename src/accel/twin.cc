#include "accel/twin.h"

#include "base/strings.h"

namespace slipway {

FileIdentity FileIdentity::of(const struct stat& status) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  return {.inode = status.st_ino,
          .size = static_cast<std::uint64_t>(status.st_size),
          .mtime_ns = status.st_mtim.tv_sec * kSecond + status.st_mtim.tv_nsec,
          .ctime_ns = status.st_ctim.tv_sec * kSecond + status.st_ctim.tv_nsec};
}

std::string FileIdentity::str() const { return concat(inode, ' ', size, ' ', mtime_ns, ' ', ctime_ns); }

}  // namespace slipway
