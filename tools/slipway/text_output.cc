#include "slipway/text_output.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace slipway {

namespace {
constexpr std::size_t kMostPending = std::size_t{1} << 20;
}

int write_fully(int fd, std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {  // a shell may hand us a terminal in non-blocking mode
      struct pollfd ready {
        .fd = fd, .events = POLLOUT, .revents = 0
      };
      if (::poll(&ready, 1, 1000) < 0 && errno != EINTR) return errno;
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

void FdOutput::write(std::string_view bytes) noexcept {
  if (!broken_) broken_ = write_fully(fd_, bytes) != 0;
}

void OrderedWriter::queue(std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  pending_ += bytes;
}

void OrderedWriter::drain() {
  std::unique_lock lock(mutex_);
  if (writing_) {
    progress_.wait(lock, [this] { return !writing_ || pending_.size() <= kMostPending; });
    return;
  }
  writing_ = true;
  while (!pending_.empty()) {
    std::string batch;
    batch.swap(pending_);
    lock.unlock();
    progress_.notify_all();
    output_.write(batch);
    lock.lock();
  }
  writing_ = false;
  progress_.notify_all();  // with the lock held: whoever waits in flush() may destroy us next
}

void OrderedWriter::flush() {
  drain();
  std::unique_lock lock(mutex_);
  progress_.wait(lock, [this] { return !writing_ && pending_.empty(); });
}

}  // namespace slipway
