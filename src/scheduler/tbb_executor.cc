// Blocking work must stay off TBB's threads: an arena does not start more of them because some are asleep, so a few
// waiting children would stop all computation. A step therefore runs on the IoPool, and the arena gets only what
// follows it. The tie between the two is a deferred task: task_group::defer() makes a handle that the group already
// counts, the handle travels to the I/O thread, and comes back with task_arena::enqueue(). So group.wait() covers
// steps that no TBB thread knows of yet. A handle that is destroyed without being run also releases the group, which
// is what start() relies on if the pool has no thread for it, or if nothing follows.
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include <limits>
#include <memory>
#include <utility>

#include "scheduler/executor.h"
#include "scheduler/io_pool.h"

namespace slipway {

namespace {

int arena_size(std::size_t threads) {
  if (threads == 0 || threads > static_cast<std::size_t>(std::numeric_limits<int>::max()))
    return tbb::task_arena::automatic;
  return static_cast<int>(threads);
}

void run_and_destroy(UniqueFunction function) { function(); }

class TbbBatch final : public Executor::Batch {
 public:
  TbbBatch(tbb::task_arena& arena, IoPool& pool) : arena_(arena), pool_(pool) {}
  ~TbbBatch() noexcept override {}   // ~task_group throws if there is something to wait for, which is a bug

  void start(UniqueFunction body, UniqueFunction then) override {
    const bool follows = static_cast<bool>(then);
    // TBB calls a task's body as const, so the function lives behind a pointer.
    auto next = std::make_unique<UniqueFunction>(std::move(then));
    tbb::task_handle done = group_.defer([next = std::move(next)] { (*next)(); });
    pool_.submit([this, follows, body = std::move(body), done = std::move(done)]() mutable {
      run_and_destroy(std::move(body));   // before wait() can return
      if (follows) arena_.enqueue(std::move(done));
    });
  }

  // Inside the arena, so that the waiting thread runs continuations instead of sleeping.
  void wait() override {
    arena_.execute([this] { group_.wait(); });
  }

 private:
  tbb::task_arena& arena_;
  IoPool& pool_;
  // Isolated: the cancellation of a group around us must not drop continuations. Stopping is a matter of stop_tokens.
  tbb::task_group_context context_{
      tbb::task_group_context::isolated,
      tbb::task_group_context::default_traits | tbb::task_group_context::concurrent_wait};
  tbb::task_group group_{context_};
};

}  // namespace

struct TbbExecutor::Impl {
  explicit Impl(const ExecutorOptions& options)
      // Bodies start others: they must never wait for room in the queue that they are to make.
      : arena(arena_size(options.cpu_threads)),
        pool({.threads = options.blocking_threads, .queue = std::numeric_limits<std::size_t>::max()}) {}
  tbb::task_arena arena;
  IoPool pool;   // declared last, so destroyed first: an I/O thread may still be leaving arena.enqueue()
};

TbbExecutor::TbbExecutor(ExecutorOptions options) : impl_(std::make_unique<Impl>(options)) {}
TbbExecutor::~TbbExecutor() = default;

std::unique_ptr<Executor::Batch> TbbExecutor::make_batch() {
  return std::make_unique<TbbBatch>(impl_->arena, impl_->pool);
}

}  // namespace slipway
