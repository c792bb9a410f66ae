#pragma once
// Where rendered progress goes, and how several threads write there in order without a lock held while
// writing.
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>

namespace slipway {

/// noexcept: a broken pipe never breaks a build. Called by one thread at a time.
class TextOutput {
 public:
  virtual ~TextOutput() = default;
  virtual void write(std::string_view bytes) noexcept = 0;
};

/// A descriptor that somebody else owns (stderr). After the first failure everything is dropped. The program
/// must ignore SIGPIPE.
class FdOutput final : public TextOutput {
 public:
  explicit FdOutput(int fd) : fd_(fd) {}
  void write(std::string_view bytes) noexcept override;

 private:
  int fd_;
  bool broken_ = false;
};

/// Writes all bytes, waiting where the descriptor is non-blocking. Returns 0 or an errno.
int write_fully(int fd, std::string_view bytes) noexcept;

/// A queue before an output. queue() does no I/O, so it may be called with the caller's own lock held, which
/// fixes the order; drain() must then be called without. One of the threads that drain does the writing for
/// all.
class OrderedWriter {
 public:
  explicit OrderedWriter(TextOutput& output) : output_(output) {}
  void queue(std::string_view bytes);
  /// Writes what is queued, or leaves it to the thread that is writing already; waits for that one only while
  /// more than 1 MiB is queued.
  void drain();
  /// Returns when everything queued before has been written.
  void flush();

 private:
  TextOutput& output_;
  std::mutex mutex_;  ///< guards all below; a plain mutex because a condition waits on it
  std::condition_variable progress_;
  std::string pending_;
  bool writing_ = false;
};

}  // namespace slipway
