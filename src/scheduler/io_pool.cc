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
  // An idle thread counts as such until it has taken its task, so every queued task beyond their number needs a
  // thread of its own.
  if (!closing_ && queue_.size() > idle_ && threads_.size() < options_.threads) {
    const int problem = start_thread();
    if (problem != 0 && threads_.empty()) {   // fewer threads than hoped for only make the build slower
      task = std::move(queue_.back());        // destroyed by the caller, outside the lock
      queue_.pop_back();
      lock.unlock();
      throw SystemError(problem, "start a thread");
    }
  }
  lock.unlock();
  has_task_.notify_one();
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
  while (true) {
    ++idle_;
    has_task_.wait(lock, [this] { return closing_ || !queue_.empty(); });
    --idle_;
    if (queue_.empty()) return;
    {
      UniqueFunction task = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      has_room_.notify_one();
      task();
    }  // what the task holds is destroyed here, also outside the lock
    lock.lock();
  }
}

}  // namespace slipway
