#pragma once
// Drives a Plan to its end: ready steps go to an Executor, outcomes come back, dependents become ready. Knows no
// containers: what a step does is a StepRunner's business.
#include <cstddef>
#include <stop_token>
#include <vector>

#include "scheduler/outcome.h"
#include "scheduler/plan.h"

namespace slipway {

class Executor;

/// Implemented by who knows what steps are (nodes/).
class StepRunner {
 public:
  virtual ~StepRunner() = default;
  /// Blocks until the step is done; called on an executor's blocking thread, several at once. Throws what it likes:
  /// the scheduler turns it into an outcome.
  virtual void run(StepId step, std::stop_token stop) = 0;
  /// Called once a step, also for those skipped or cancelled, outside any lock, several at once. It has returned
  /// before any step that needs this one starts.
  virtual void on_finished(StepId step, const StepOutcome& outcome) noexcept = 0;
};

struct SchedulerOptions {
  std::size_t slots = 64;    ///< steps at once; 0 counts as 1
  bool keep_going = false;   ///< after a failure go on with what does not depend on it; else cancel the rest
};

/// One run a call; blocking. The outcomes are indexed by StepId. Never throws for a step's failure. Steps get a
/// stop_token that is requested by `stop` and, without keep_going, by the first failure; what has not started by
/// then ends as StepCancelled. Several runs may share an executor, but a step must not call run_plan on the executor
/// that runs it: with all blocking threads waiting like that, none is left to do the work.
std::vector<StepOutcome> run_plan(Plan plan, StepRunner& runner, Executor& executor,
                                  const SchedulerOptions& options, std::stop_token stop);

}  // namespace slipway
