#pragma once
// Where work runs: what blocks on threads made for it, what follows on CPU threads. Knows nothing of plans.
#include <cstddef>
#include <memory>

#include "base/unique_function.h"

namespace slipway {

class Executor {
 public:
  /// Work that is waited for together.
  class Batch {
   public:
    /// Nothing may be left to wait for.
    virtual ~Batch() = default;
    /// Runs `body`, which may block, and after it `then`, which may not; that may be empty. Both may call start()
    /// again, neither may throw. From any thread. If start() itself throws, neither runs.
    virtual void start(UniqueFunction body, UniqueFunction then) = 0;
    /// Returns when all that was started, also meanwhile, has ended and been destroyed. Called by one thread, which
    /// may be made to run some of the work.
    virtual void wait() = 0;
  };

  virtual ~Executor() = default;
  /// The executor must outlive it.
  virtual std::unique_ptr<Batch> make_batch() = 0;
};

struct ExecutorOptions {
  std::size_t blocking_threads = 64;   ///< bodies at once; started on demand
  std::size_t cpu_threads = 0;         ///< continuations at once; 0: as many as there are CPUs
};

/// Production: continuations are TBB tasks in an arena of their own, bodies run on an IoPool.
class TbbExecutor final : public Executor {
 public:
  explicit TbbExecutor(ExecutorOptions options = {});
  ~TbbExecutor() override;
  std::unique_ptr<Batch> make_batch() override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The same promise on plain threads. ThreadSanitizer cannot see the synchronisation inside a stock libtbb and reports
/// races that are none, so it watches the scheduler on this one.
class ThreadExecutor final : public Executor {
 public:
  explicit ThreadExecutor(ExecutorOptions options = {});
  ~ThreadExecutor() override;
  std::unique_ptr<Batch> make_batch() override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Everything on the thread that calls wait(), one after the other in the order of start(): for unit tests.
class InlineExecutor final : public Executor {
 public:
  std::unique_ptr<Batch> make_batch() override;
};

}  // namespace slipway
