#include "build/silence_watch.h"

namespace slipway {

SilenceWatch::SilenceWatch(std::chrono::milliseconds patience, std::stop_token stop)
    : patience_(patience),
      forward_(std::move(stop), [this] { source_.request_stop(); }),
      thread_([this](const std::stop_token& done) { watch(done); }) {}

void SilenceWatch::heard() {
  const std::lock_guard lock(mutex_);
  if (!last_heard_) begun_.notify_all();
  last_heard_ = Clock::now();
}

bool SilenceWatch::gave_up() const {
  const std::lock_guard lock(mutex_);
  return gave_up_;
}

void SilenceWatch::watch(const std::stop_token& done) {
  std::unique_lock lock(mutex_);
  if (!begun_.wait(lock, done, [this] { return last_heard_.has_value(); })) return;
  while (Clock::now() < *last_heard_ + patience_) {
    begun_.wait_until(lock, done, *last_heard_ + patience_, [] { return false; });
    if (done.stop_requested()) return;
  }
  gave_up_ = true;
  lock.unlock();  // who is stopped may call in
  source_.request_stop();
}

}  // namespace slipway
