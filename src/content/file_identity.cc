#include "content/file_identity.h"

#include <ctime>

namespace slipway {

namespace {

std::int64_t nanoseconds(const struct timespec& time) { return time.tv_sec * 1'000'000'000 + time.tv_nsec; }

}  // namespace

FileDigests::Identity identity_of(const struct stat& status) {
  return {.device = status.st_dev,
          .inode = status.st_ino,
          .size = static_cast<std::uint64_t>(status.st_size),
          .mtime_ns = nanoseconds(status.st_mtim),
          .ctime_ns = nanoseconds(status.st_ctim)};
}

bool is_settled(const FileDigests::Identity& identity) {
  struct timespec now {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const std::int64_t limit = nanoseconds(now) - 2'000'000'000;
  return identity.mtime_ns < limit && identity.ctime_ns < limit;
}

std::int64_t file_clock_ns() {
  struct timespec now {};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return nanoseconds(now);
}

bool may_change_unseen(const FileDigests::Identity& identity, std::int64_t since) {
  const bool in_seconds = identity.ctime_ns % 1'000'000'000 == 0;  // as some file systems count, or in twos
  return identity.ctime_ns + (in_seconds ? 2'000'000'000 : 0) >= since;
}

}  // namespace slipway
