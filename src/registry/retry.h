#pragma once
// When to try again, and how long to wait before.
#include <chrono>
#include <optional>
#include <stop_token>
#include <string>

#include "base/error.h"
#include "base/logger.h"

namespace slipway {

using Seconds = std::chrono::duration<double>;
inline constexpr Seconds kMaxRetryAfter{60};

/// The registry answered, but wants the request later (429, 5xx). `retry_after` is already capped.
class BusyError final : public TransportError {
 public:
  BusyError(std::string message, int status, std::optional<Seconds> retry_after)
      : TransportError(std::move(message), /*retryable=*/true, status), retry_after_(retry_after) {}
  std::optional<Seconds> retry_after() const { return retry_after_; }

 private:
  std::optional<Seconds> retry_after_;
};

/// A Retry-After header: seconds or an HTTP date; never more than kMaxRetryAfter. Nothing if it is neither.
std::optional<Seconds> parse_retry_after(const std::string& value, std::chrono::system_clock::time_point now);

/// Throws Cancelled the moment `stop` is requested.
void sleep_unless_stopped(Seconds duration, const std::stop_token& stop);

/// The tries of one operation. One owner.
class RetryBudget {
 public:
  /// `attempts` tries in all; the first wait is about `first_delay`, each further one about twice the one before.
  RetryBudget(int attempts, Seconds first_delay, std::string what, Logger& logger);
  /// After a failed try: waits, or throws the error again (call it in the catch block) if it is not worth another try
  /// or there are none left.
  void wait_or_rethrow(const TransportError& error, const std::stop_token& stop);
  /// The last try brought the operation on: count from the start.
  void renew() { failures_ = 0; }

 private:
  Seconds delay(const TransportError& error) const;
  int attempts_;
  Seconds first_delay_;
  std::string what_;
  Logger& logger_;
  int failures_ = 0;
};

}  // namespace slipway
