// Files are removed while they are locked, so one may be gone when it is locked at last: who locks a file
// that no longer has its name tries again with the one that has.
#include "content/step_locks.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "base/error.h"
#include "base/files.h"
#include "content/space.h"

namespace slipway {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::milliseconds kFirstPause{2}, kLongestPause{50};

bool try_lock(int fd, const fs::path& path) {
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) throw SystemError(errno, "flock", path.native());
  }
  return true;
}

bool has_name(int fd, const fs::path& path) {
  struct stat open {
  }, named{};
  if (::fstat(fd, &open) != 0) throw SystemError(errno, "fstat", path.native());
  if (::lstat(path.c_str(), &named) != 0) return false;
  return open.st_dev == named.st_dev && open.st_ino == named.st_ino;
}

}  // namespace

StepLock::~StepLock() {
  if (!fd_) return;
  ::unlink(path_.c_str());
  ::flock(fd_.get(), LOCK_UN);  // a child that is about to execute something may hold the descriptor too
}

fs::path StepLocks::path_of(const Digest& key) const { return directory_ / std::string(key.hex()); }

std::optional<StepLock> StepLocks::try_acquire(const Digest& key) const {
  if (::mkdir(directory_.c_str(), 0700) != 0 && errno != EEXIST)
    throw with_space_left(SystemError(errno, "mkdir", directory_.native()), directory_.parent_path());
  const fs::path path = path_of(key);
  while (true) {
    UniqueFd fd = open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (!try_lock(fd.get(), path)) return std::nullopt;
    if (has_name(fd.get(), path)) return StepLock(path, std::move(fd));
  }
}

void StepLocks::wait(const Digest& key, const std::stop_token& stop) const {
  const fs::path path = path_of(key);
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable_any nobody;
  for (auto pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
    if (stop.stop_requested()) throw Cancelled{};
    const UniqueFd fd{::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC)};
    if (!fd && errno != ENOENT) throw SystemError(errno, "open", path.native());
    if (!fd || try_lock(fd.get(), path)) {
      if (fd) ::flock(fd.get(), LOCK_UN);
      return;
    }
    nobody.wait_for(lock, stop, pause, [] { return false; });
  }
}

void StepLocks::clear_leftovers() const {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory_, ignored)) {
    const UniqueFd fd{::open(entry.path().c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC)};
    if (!fd || !try_lock(fd.get(), entry.path())) continue;
    if (has_name(fd.get(), entry.path())) ::unlink(entry.path().c_str());
    ::flock(fd.get(), LOCK_UN);
  }
}

}  // namespace slipway
