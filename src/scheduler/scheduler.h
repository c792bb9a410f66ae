#pragma once
// Drives a Plan to its end: ready steps go to an Executor, outcomes come back, dependents become ready. Knows no
// containers: what a step does is a StepRunner's business.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <vector>

#include "scheduler/outcome.h"
#include "scheduler/plan.h"

namespace slipway {

class Executor;

/// How a run of a step ended that did not throw.
enum class StepRun {
  Done,
  MustWait,   ///< somebody outside the plan is at it: wait() first, then run it again
};

/// Implemented by who knows what steps are (nodes/).
class StepRunner {
 public:
  virtual ~StepRunner() = default;
  /// Blocks until the step is done; called on an executor's blocking thread, several at once. Throws what it likes:
  /// the scheduler turns it into an outcome.
  virtual StepRun run(StepId step, std::stop_token stop) = 0;
  /// Blocks until a step that must wait may be run again; meanwhile it takes no slot. May throw as run() does.
  virtual void wait(StepId, std::stop_token) {}
  /// Called once a step, also for those skipped or cancelled, outside any lock, several at once. It has returned
  /// before any step that needs this one starts.
  virtual void on_finished(StepId step, const StepOutcome& outcome) noexcept = 0;
};

struct SchedulerOptions {
  std::size_t slots = 64;    ///< steps at once; 0 counts as 1
  bool keep_going = false;   ///< after a failure go on with what does not depend on it; else cancel the rest
  std::vector<std::size_t> pool_slots;   ///< steps at once of each pool, besides; see PlanLimits
  /// Memory that steps may share, asked for whenever none runs that is known to need any. Empty: any amount.
  std::function<std::uint64_t()> memory;
  int tries = 1;             ///< of a step whose failure says that it may be retried
};

/// One run a call; blocking. The outcomes are indexed by StepId. Never throws for a step's failure. Steps get a
/// stop_token that is requested by `stop` and, without keep_going, by the first failure; what has not started by
/// then ends as StepCancelled. Several runs may share an executor, but a step must not call run_plan on the executor
/// that runs it: with all blocking threads waiting like that, none is left to do the work.
std::vector<StepOutcome> run_plan(Plan plan, StepRunner& runner, Executor& executor,
                                  const SchedulerOptions& options, std::stop_token stop);

}  // namespace slipway
