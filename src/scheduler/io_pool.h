#pragma once
// Threads for work that blocks: child processes, transfers, fsync. Not for computation, which belongs to TBB; and not
// a scheduler: tasks run in the order they came.
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "base/unique_function.h"

namespace slipway {

struct IoPoolOptions {
  std::size_t threads = 64;   ///< at most so many; 0 counts as 1
  std::size_t queue = 1024;   ///< tasks waiting for a thread before submit() blocks; 0 counts as 1
};

/// A thread is started when a task finds no idle one, and then lives as long as the pool: children are spawned with
/// PR_SET_PDEATHSIG, which kills them when the *thread* that spawned them ends, and not only its process. Threads are
/// woken one by one, each by the one before it if there is more to do: tasks that take no time are not worth a thread
/// each, and those that do get theirs all the same.
class IoPool {
 public:
  explicit IoPool(IoPoolOptions options = {});
  /// Runs what was submitted to its end, then joins. Nobody else may be calling submit() by then but the tasks.
  ~IoPool();
  IoPool(const IoPool&) = delete;
  IoPool& operator=(const IoPool&) = delete;

  /// From any thread. Blocks while the queue is full, so a task must not submit to its own pool unless the queue has
  /// room for all that tasks submit. The task must not throw. Throws SystemError if not even one thread can be
  /// started; the task is dropped then.
  void submit(UniqueFunction task);

  /// Threads started so far.
  std::size_t threads() const;

 private:
  void work() noexcept;
  int start_thread();
  int wake_one();

  const IoPoolOptions options_;
  mutable std::mutex mutex_;   ///< guards all below; a plain mutex because two conditions wait on it
  std::condition_variable has_task_;
  std::condition_variable has_room_;
  std::deque<UniqueFunction> queue_;
  std::size_t idle_ = 0;
  bool closing_ = false;
  bool waking_ = false;   ///< a thread was woken, or is being started, and has not looked at the queue yet
  std::vector<std::jthread> threads_;
};

}  // namespace slipway
