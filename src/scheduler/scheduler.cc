// One step goes round like this: advance() takes it from the plan, launch() hands it to the executor, a blocking thread
// runs it, and a CPU thread records its outcome, which makes others ready. The plan's lock is held inside advance()
// only, never around the runner, the executor or a stop request (whose callbacks run on the thread that makes it).
#include "scheduler/scheduler.h"

#include <algorithm>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "base/synchronized.h"
#include "scheduler/executor.h"

namespace slipway {

namespace {

// The boundary that turns every ending of a step into data.
StepOutcome run_step(StepRunner& runner, StepId step, const std::stop_token& stop) noexcept {
  if (stop.stop_requested()) return StepCancelled{};   // it waited for a thread meanwhile
  try {
    runner.run(step, stop);
    return Succeeded{};
  } catch (const Cancelled&) {
    return StepCancelled{};
  } catch (const Error& e) {
    return Failed{e.what(), e.retryable(), std::current_exception()};
  } catch (const std::exception& e) {   // a bug or out of memory: fail the step, keep the build honest
    return Failed{e.what(), /*retryable=*/false, std::current_exception()};
  } catch (...) {
    return Failed{"the step threw something that is not an exception", /*retryable=*/false, std::current_exception()};
  }
}

class PlanRun {
 public:
  PlanRun(Plan plan, StepRunner& runner, Executor& executor, const SchedulerOptions& options)
      : outcomes_(plan.size()),
        plan_(std::move(plan)),
        runner_(runner),
        slots_(std::max<std::size_t>(options.slots, 1)),
        keep_going_(options.keep_going),
        batch_(executor.make_batch()) {}

  /// Called once.
  std::vector<StepOutcome> drive(const std::stop_token& user_stop) {
    // Only forwards: the plan hears of it when the next step ends, on a thread that may call the runner.
    const std::stop_callback forward(user_stop, [this] { stop_.request_stop(); });
    launch(advance(std::nullopt));
    batch_->wait();
    SLIPWAY_CHECK(plan_.lock()->done(), "a run ends when all steps have ended");
    return std::move(outcomes_);
  }

 private:
  void launch(std::vector<StepId> ready) noexcept {
    for (std::size_t i = 0; i < ready.size(); ++i) {
      const StepId id = ready[i];
      try {
        batch_->start([this, id] { outcomes_[id.value] = run_step(runner_, id, stop_.get_token()); },
                      [this, id] { launch(record(id)); });
      } catch (const std::exception& e) {   // no thread to run it on
        outcomes_[id.value] = Failed{e.what(), /*retryable=*/false, std::current_exception()};
        const std::vector<StepId> more = record(id);
        ready.insert(ready.end(), more.begin(), more.end());
      }
    }
  }

  // The runner hears of a step before the plan does, because the plan may then start what needs it.
  std::vector<StepId> record(StepId id) {
    const StepOutcome& outcome = outcomes_[id.value];
    runner_.on_finished(id, outcome);
    if (std::holds_alternative<Failed>(outcome) && !keep_going_) stop_.request_stop();
    return advance(id);
  }

  // Tells the plan that `ended` did, reports the steps that end with it, and returns those to start.
  std::vector<StepId> advance(std::optional<StepId> ended) {
    std::vector<StepId> dropped;
    std::vector<StepId> ready;
    {
      auto plan = plan_.lock();
      if (ended) dropped = plan->finish(*ended, outcomes_[ended->value]);
      if (stop_.stop_requested()) {
        const std::vector<StepId> cancelled = plan->cancel_waiting();
        dropped.insert(dropped.end(), cancelled.begin(), cancelled.end());
      } else {
        ready = plan->take_ready(slots_ - plan->running());
      }
      for (const StepId id : dropped) outcomes_[id.value] = plan->outcome(id);
    }
    for (const StepId id : dropped) runner_.on_finished(id, outcomes_[id.value]);
    return ready;
  }

  std::vector<StepOutcome> outcomes_;   // each element is written once, by the thread that ends its step
  Synchronized<Plan> plan_;
  StepRunner& runner_;
  const std::size_t slots_;
  const bool keep_going_;
  std::stop_source stop_;
  std::unique_ptr<Executor::Batch> batch_;
};

}  // namespace

std::vector<StepOutcome> run_plan(Plan plan, StepRunner& runner, Executor& executor,
                                  const SchedulerOptions& options, std::stop_token stop) {
  for (std::size_t i = 0; i < plan.size(); ++i)
    SLIPWAY_CHECK(!plan.finished(StepId{i}), "a plan is run once, from its start");
  SLIPWAY_CHECK(plan.running() == 0, "a plan is run once, from its start");
  return PlanRun(std::move(plan), runner, executor, options).drive(stop);
}

}  // namespace slipway
