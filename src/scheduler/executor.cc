#include "scheduler/executor.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <limits>
#include <mutex>
#include <thread>
#include <utility>

#include "scheduler/io_pool.h"

namespace slipway {

namespace {

void run_and_destroy(UniqueFunction function) { function(); }

class InlineBatch final : public Executor::Batch {
 public:
  void start(UniqueFunction body, UniqueFunction then) override {
    queue_.emplace_back(std::move(body), std::move(then));
  }

  void wait() override {
    while (!queue_.empty()) {
      auto [body, then] = std::move(queue_.front());
      queue_.pop_front();
      run_and_destroy(std::move(body));
      if (then) run_and_destroy(std::move(then));
    }
  }

 private:
  std::deque<std::pair<UniqueFunction, UniqueFunction>> queue_;
};

// Counts what was started and has not ended.
class Pending {
 public:
  void enter() {
    const std::lock_guard lock(mutex_);
    ++count_;
  }
  void leave() {
    // Notified with the lock held: the waiter destroys this object as soon as it can see the zero.
    const std::lock_guard lock(mutex_);
    if (--count_ == 0) none_left_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    none_left_.wait(lock, [this] { return count_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable none_left_;
  std::size_t count_ = 0;
};

class ThreadBatch final : public Executor::Batch {
 public:
  ThreadBatch(IoPool& blocking, IoPool& cpu) : blocking_(blocking), cpu_(cpu) {}

  void start(UniqueFunction body, UniqueFunction then) override {
    pending_.enter();
    try {
      blocking_.submit([this, body = std::move(body), then = std::move(then)]() mutable {
        run_and_destroy(std::move(body));
        if (!then) return pending_.leave();
        cpu_.submit([this, then = std::move(then)]() mutable {
          run_and_destroy(std::move(then));
          pending_.leave();
        });
      });
    } catch (...) {
      pending_.leave();
      throw;
    }
  }

  void wait() override { pending_.wait(); }

 private:
  IoPool& blocking_;
  IoPool& cpu_;
  Pending pending_;
};

}  // namespace

std::unique_ptr<Executor::Batch> InlineExecutor::make_batch() { return std::make_unique<InlineBatch>(); }

struct ThreadExecutor::Impl {
  explicit Impl(const ExecutorOptions& options)
      // Bodies start others, and must never wait for room in the queue that they are to make; nor for the CPU threads,
      // which may be waiting themselves. So the queues have no bound: they hold no more than the steps in flight.
      : cpu({.threads = options.cpu_threads ? options.cpu_threads : std::thread::hardware_concurrency(),
             .queue = std::numeric_limits<std::size_t>::max()}),
        blocking({.threads = options.blocking_threads, .queue = std::numeric_limits<std::size_t>::max()}) {}
  IoPool cpu;
  IoPool blocking;   // declared last, so destroyed first: its tasks submit to the other
};

ThreadExecutor::ThreadExecutor(ExecutorOptions options) : impl_(std::make_unique<Impl>(options)) {}
ThreadExecutor::~ThreadExecutor() = default;

std::unique_ptr<Executor::Batch> ThreadExecutor::make_batch() {
  return std::make_unique<ThreadBatch>(impl_->blocking, impl_->cpu);
}

}  // namespace slipway
