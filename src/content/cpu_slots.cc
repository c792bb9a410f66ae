// A task arena is what counts: it lets no more threads in than it has slots, whether they are TBB's own or
// come with work of theirs. A thread that finds all taken hands its work over as a task and sleeps until a
// slot is free, for itself or for one of TBB's threads; so work never waits for a particular thread. Within
// the work nothing waits but for its own tasks, which wait for nothing, so any number of slots is enough.
//
// A single slot is another matter: for a task that is handed over TBB would wake a thread beyond the limit.
// There are no threads of its own to share with then, and a lock does.
#include "content/cpu_slots.h"

#include <tbb/global_control.h>
#include <tbb/task_arena.h>

#include <exception>
#include <map>
#include <mutex>

#include "base/synchronized.h"

namespace slipway {
namespace {

struct Slots {
  explicit Slots(std::size_t limit) : arena(static_cast<int>(limit), kForCallers), single(limit == 1) {}
  /// The limit is one above the number of TBB's threads: more could not come anyway. Callers take the other
  /// slots, too.
  static constexpr unsigned kForCallers = 1;
  tbb::task_arena arena;
  const bool single;
  std::recursive_mutex alone;  ///< the single slot; work may be within work
};

/// By the limit: a program has one for all its life, tests have several.
Slots& slots() {
  static Synchronized<std::map<std::size_t, Slots>> known;
  const std::size_t limit = tbb::global_control::active_value(tbb::global_control::max_allowed_parallelism);
  return known.lock()->try_emplace(limit, limit).first->second;
}

}  // namespace

// For tests, which watch who enters it; no header of ours shows TBB.
tbb::task_arena& cpu_slots();
tbb::task_arena& cpu_slots() { return slots().arena; }

void run_in_cpu_slot(const std::function<void()>& work) {
  Slots& shared = slots();
  std::unique_lock<std::recursive_mutex> mine;
  if (shared.single) mine = std::unique_lock(shared.alone);
  std::exception_ptr error;  // nothing may be thrown out of a task, as which it may run
  shared.arena.execute([&] {
    try {
      tbb::this_task_arena::isolate(work);
    } catch (...) {
      error = std::current_exception();
    }
  });
  if (error) std::rethrow_exception(error);
}

}  // namespace slipway
