#include "registry/retry.h"

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <random>

#include "base/strings.h"
#include "registry/curl_library.h"

namespace slipway {
namespace {

double random_between(double low, double high) {
  std::random_device source;
  std::minstd_rand engine(source());
  return std::uniform_real_distribution<double>(low, high)(engine);
}

}  // namespace

std::optional<Seconds> parse_retry_after(const std::string& value,
                                         std::chrono::system_clock::time_point now) {
  const std::string text(trim(value));
  if (const auto seconds = parse_unsigned(text))
    return std::min(kMaxRetryAfter, Seconds(static_cast<double>(*seconds)));
  const std::time_t date = libcurl().getdate(text.c_str(), nullptr);
  if (date < 0) return std::nullopt;
  const Seconds wait = std::chrono::system_clock::from_time_t(date) - now;
  return std::clamp(wait, Seconds(0), kMaxRetryAfter);
}

void sleep_unless_stopped(Seconds duration, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, duration, [] { return false; });
  if (stop.stop_requested()) throw Cancelled();
}

RetryBudget::RetryBudget(int attempts, Seconds first_delay, std::string what, Logger& logger)
    : attempts_(attempts), first_delay_(first_delay), what_(std::move(what)), logger_(logger) {}

// Jitter spreads clients that failed together. What a server asked for is a lower bound.
Seconds RetryBudget::delay(const TransportError& error) const {
  if (const auto* busy = dynamic_cast<const BusyError*>(&error); busy && busy->retry_after())
    return std::min(kMaxRetryAfter, *busy->retry_after() * random_between(1.0, 1.1));
  const Seconds backoff = first_delay_ * std::exp2(std::min(failures_ - 1, 16));
  return std::min(kMaxRetryAfter, backoff * random_between(0.75, 1.25));
}

void RetryBudget::wait_or_rethrow(const TransportError& error, const std::stop_token& stop) {
  ++failures_;
  if (!error.retryable() || failures_ >= attempts_) throw;
  const Seconds wait = delay(error);
  constexpr Seconds kWorthTelling{5};
  logger_.log(wait < kWorthTelling ? LogLevel::Info : LogLevel::Warning,
              concat(what_, ": ", error.what(), "; try ", failures_ + 1, " of ", attempts_, " in ",
                     human_seconds(wait.count())));
  sleep_unless_stopped(wait, stop);
}

}  // namespace slipway
