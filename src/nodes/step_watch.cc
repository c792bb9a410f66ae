#include "nodes/step_watch.h"

#include <algorithm>
#include <functional>

#include "base/strings.h"

namespace slipway {
namespace {

std::string shown(std::chrono::milliseconds time) {
  const auto count = time.count();
  if (count % 3'600'000 == 0) return concat(count / 3'600'000, "h");
  if (count % 60'000 == 0) return concat(count / 60'000, "m");
  if (count % 1'000 == 0) return concat(count / 1'000, "s");
  return concat(count, "ms");
}

}  // namespace

StepWatch::StepWatch(const StepTimeouts& timeouts, std::stop_token stop)
    : timeouts_(timeouts), on_stop_(std::move(stop), [this] { source_.request_stop(); }) {
  if (timeouts_.any()) thread_ = std::jthread([this](const std::stop_token& end) { watch(end); });
}

StepWatch::~StepWatch() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

void StepWatch::heard() {
  if (timeouts_.silent.count() == 0) return;
  // The watching thread looks at it when the old deadline has come: no need to wake it for each line.
  const std::lock_guard lock(mutex_);
  last_heard_ = Clock::now();
}

std::optional<std::string> StepWatch::expired() const {
  const std::lock_guard lock(mutex_);
  return expired_;
}

StepWatch::Clock::time_point StepWatch::deadline() const {
  Clock::time_point out = Clock::time_point::max();
  if (timeouts_.whole.count() > 0) out = began_ + timeouts_.whole;
  if (timeouts_.silent.count() > 0) out = std::min(out, last_heard_ + timeouts_.silent);
  return out;
}

void StepWatch::watch(const std::stop_token& end) {
  std::unique_lock lock(mutex_);
  while (Clock::now() < deadline()) {
    changed_.wait_until(lock, end, deadline(), [] { return false; });
    if (end.stop_requested()) return;
  }
  const bool whole = timeouts_.whole.count() > 0 && Clock::now() >= began_ + timeouts_.whole;
  expired_ = whole ? concat("it ran for longer than ", shown(timeouts_.whole), " (--step-timeout)")
                   : concat("it wrote nothing for ", shown(timeouts_.silent), " (--idle-timeout)");
  lock.unlock();
  source_.request_stop();
}

}  // namespace slipway
