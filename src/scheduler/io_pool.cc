#include "scheduler/io_pool.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/error.h"

namespace slipway {

IoPool::IoPool(IoPoolOptions options)
    : options_{.threads = std::max<std::size_t>(options.threads, 1),
               .queue = std::max<std::size_t>(options.queue, 1)} {}

IoPool::~IoPool() {
  std::vector<std::jthread> threads;
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    threads.swap(threads_);   // a task that submits while we close is run by the threads there are
  }
  has_task_.notify_all();
}

void IoPool::submit(UniqueFunction task) {
  std::unique_lock lock(mutex_);
  has_room_.wait(lock, [this] { return queue_.size() < options_.queue; });
  queue_.push_back(std::move(task));
  const int problem = wake_one();
  if (problem != 0 && threads_.empty()) {   // fewer threads than hoped for only make the build slower
    task = std::move(queue_.back());        // destroyed by the caller, outside the lock
    queue_.pop_back();
    lock.unlock();
    throw SystemError(problem, "start a thread");
  }
}

// Called with the lock held, when there is a task for it. Returns an errno.
int IoPool::wake_one() {
  if (waking_ || closing_) return 0;   // who closes wakes all
  if (idle_ > 0) {
    waking_ = true;
    has_task_.notify_one();
  } else if (threads_.size() < options_.threads) {
    waking_ = true;
    const int problem = start_thread();
    if (problem != 0) waking_ = false;
    return problem;
  }
  return 0;
}

std::size_t IoPool::threads() const {
  const std::lock_guard lock(mutex_);
  return threads_.size();
}

// Called with the lock held. Returns an errno.
int IoPool::start_thread() {
  try {
    threads_.emplace_back([this] { work(); });
    return 0;
  } catch (const std::system_error& e) {
    return e.code().value();
  }
}

void IoPool::work() noexcept {
  std::unique_lock lock(mutex_);
  waking_ = false;
  while (true) {
    ++idle_;
    while (!closing_ && queue_.empty()) {
      has_task_.wait(lock);
      waking_ = false;   // also if somebody else was faster
    }
    --idle_;
    if (queue_.empty()) return;
    {
      UniqueFunction task = std::move(queue_.front());
      queue_.pop_front();
      if (!queue_.empty()) wake_one();   // without another thread they wait for this one
      lock.unlock();
      has_room_.notify_one();
      task();
    }  // what the task holds is destroyed here, also outside the lock
    lock.lock();
  }
}

}  // namespace slipway
