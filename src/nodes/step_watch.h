#pragma once
// Ends a step that takes too long, or that says nothing for too long.
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

namespace slipway {

struct StepTimeouts {
  std::chrono::milliseconds whole{0};   ///< 0: none
  std::chrono::milliseconds silent{0};  ///< without a byte of output; 0: none
  bool any() const { return whole.count() > 0 || silent.count() > 0; }
};

/// From its making to its end. Thread-safe. Without timeouts it has no thread and hands stops on only.
class StepWatch {
 public:
  StepWatch(const StepTimeouts& timeouts, std::stop_token stop);
  ~StepWatch();
  StepWatch(const StepWatch&) = delete;
  StepWatch& operator=(const StepWatch&) = delete;

  /// Requested when the caller's is, or when time is up.
  std::stop_token token() const { return source_.get_token(); }
  /// The step wrote something.
  void heard();
  /// Why time was up: "it ran for longer than 10m (--step-timeout)"; nothing if it was not.
  std::optional<std::string> expired() const;

 private:
  using Clock = std::chrono::steady_clock;
  void watch(const std::stop_token& end);
  Clock::time_point deadline() const;

  const StepTimeouts timeouts_;
  const Clock::time_point began_ = Clock::now();
  std::stop_source source_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  Clock::time_point last_heard_ = began_;  ///< guarded by mutex_, as is expired_
  std::optional<std::string> expired_;
  std::stop_callback<std::function<void()>> on_stop_;
  std::jthread thread_;
};

}  // namespace slipway
