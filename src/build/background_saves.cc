#include "build/background_saves.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace slipway {

namespace {

/// A document that takes long is written less often, so that it takes at most a fifth of the time.
constexpr int kRest = 4;

}  // namespace

BackgroundSaves::BackgroundSaves(std::vector<Target> targets)
    : pool_(std::in_place, IoPoolOptions{.threads = 1, .queue = 1}) {
  for (Target& target : targets) {
    const Clock::time_point first = Clock::now() + target.pause;
    targets_.push_back({.target = std::move(target), .next = first});
  }
}

BackgroundSaves::~BackgroundSaves() {
  break_off_layer_.request_stop();
  end({});
}

void BackgroundSaves::add(FinishedStep step) noexcept {
  try {
    const std::lock_guard lock(mutex_);
    if (ending_ || targets_.empty()) return;
    arrived_.push_back(std::move(step));
    if (!std::exchange(started_, true)) pool_->submit([this] { work(); });
    changed_.notify_one();
  } catch (const std::exception&) {  // no thread, no memory: it is saved at the end
  }
}

void BackgroundSaves::end(const std::stop_token& stop) noexcept {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  break_off_document_.request_stop();
  const std::stop_callback all(stop, [this] { break_off_layer_.request_stop(); });
  pool_.reset();
}

bool BackgroundSaves::is_ending() {
  const std::lock_guard lock(mutex_);
  return ending_;
}

void BackgroundSaves::work() noexcept {
  while (wait_for_work()) {
    std::vector<FinishedStep> steps;
    {
      const std::lock_guard lock(mutex_);
      steps = std::exchange(arrived_, {});
    }
    for (Progress& target : targets_) {
      if (target.given_up) continue;
      try {
        send(target, steps);
        write_if_due(target);
      } catch (const Cancelled&) {
        return;
      } catch (const std::exception&) {
        target.given_up = true;
      }
    }
  }
}

/// Until a step has arrived or a document is due; false at the end.
bool BackgroundSaves::wait_for_work() {
  Clock::time_point due = Clock::time_point::max();
  for (const Progress& target : targets_)
    if (!target.given_up && !target.unwritten.empty()) due = std::min(due, target.next);
  const auto has_work = [this] { return ending_ || !arrived_.empty(); };
  std::unique_lock lock(mutex_);
  if (due == Clock::time_point::max()) {
    changed_.wait(lock, has_work);
  } else {
    changed_.wait_until(lock, due, has_work);
  }
  return !ending_;
}

void BackgroundSaves::send(Progress& to, const std::vector<FinishedStep>& steps) {
  for (const FinishedStep& step : steps) {
    if (is_ending()) return;
    to.target.send(step, break_off_layer_.get_token());
    to.unwritten.push_back(step);
    write_if_due(to);
  }
}

void BackgroundSaves::write_if_due(Progress& to) {
  const Clock::time_point began = Clock::now();
  if (to.unwritten.empty() || began < to.next || is_ending()) return;
  to.target.write(to.unwritten, break_off_document_.get_token());
  to.unwritten.clear();
  const Clock::time_point ended = Clock::now();
  to.next = ended + std::max<Clock::duration>(to.target.pause, kRest * (ended - began));
}

}  // namespace slipway
