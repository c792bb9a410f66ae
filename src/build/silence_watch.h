#pragma once
// Ends a transfer that has gone silent, where its own retries would go on for longer than it is worth.
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

namespace slipway {

/// Thread-safe. Waits for nothing before the first heard(): a transfer may have to wait for its turn.
class SilenceWatch {
 public:
  /// Requests its token's stop when `stop` is requested, or when nothing was heard for `patience`.
  SilenceWatch(std::chrono::milliseconds patience, std::stop_token stop);

  std::stop_token token() const { return source_.get_token(); }
  void heard();
  /// Whether it was the silence that ended it.
  bool gave_up() const;

 private:
  using Clock = std::chrono::steady_clock;
  void watch(const std::stop_token& done);

  const std::chrono::milliseconds patience_;
  std::stop_source source_;
  std::stop_callback<std::function<void()>> forward_;
  // The mutex belongs to the condition variable; the two below it are reached with it held.
  mutable std::mutex mutex_;
  std::condition_variable_any begun_;
  std::optional<Clock::time_point> last_heard_;
  bool gave_up_ = false;
  std::jthread thread_;  ///< the last: it uses the rest
};

}  // namespace slipway
