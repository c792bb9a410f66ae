#include "content/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "base/error.h"
#include "base/files.h"

namespace slipway {

namespace {

using Pause = std::chrono::duration<double>;

void wait_unless_stopped(Pause pause, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, pause, [] { return false; });
  if (stop.stop_requested()) throw Cancelled{};
}

}  // namespace

// flock(2) that waits cannot be told to stop, so it is asked again and again.
UniqueFd lock_directory(const std::filesystem::path& directory, const std::stop_token& stop) {
  constexpr Pause kFirst{0.002}, kLongest{0.05};
  UniqueFd lock = open_file(directory, O_RDONLY | O_DIRECTORY);
  for (Pause pause = kFirst; ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0; pause = std::min(pause * 2, kLongest)) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) throw SystemError(errno, "lock", directory.native());
    wait_unless_stopped(pause, stop);
  }
  return lock;
}

}  // namespace slipway
