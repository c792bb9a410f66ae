// One step goes round like this: advance() takes it from the plan, launch() hands it to the executor, a blocking thread
// runs it and records its outcome, which makes others ready. The first of those it runs itself, the others it launches:
// handing a step to another thread costs some ten times what the plan's part in it does. Every now and then it goes
// back to the executor, so that runs that share one take turns. The plan's lock is held inside advance() only, never
// around the runner, the executor or a stop request (whose callbacks run on the thread that makes it).
#include "scheduler/scheduler.h"

#include <algorithm>
#include <chrono>
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

constexpr std::chrono::milliseconds kTurn{10};

// The boundary that turns every ending of a step into data. Nothing: it has not ended, `work` said that it must wait.
template <class Work>
std::optional<StepOutcome> outcome_of(const std::stop_token& stop, const Work& work) noexcept {
  if (stop.stop_requested()) return StepCancelled{};   // it waited for a thread meanwhile
  try {
    if (work() == StepRun::MustWait) return std::nullopt;
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
      : steps_(plan.size()),
        plan_(std::move(plan)),
        runner_(runner),
        options_(options),
        slots_(std::max<std::size_t>(options.slots, 1)),
        batch_(executor.make_batch()) {
    plan_.lock()->set_limits({.slots = options_.pool_slots});
  }

  /// Called once.
  std::vector<StepOutcome> drive(const std::stop_token& user_stop) {
    // Only forwards: the plan hears of it when the next step ends, on a thread that may call the runner.
    const std::stop_callback forward(user_stop, [this] { stop_.request_stop(); });
    launch(advance({}));
    batch_->wait();
    SLIPWAY_CHECK(plan_.lock()->done(), "a run ends when all steps have ended");
    std::vector<StepOutcome> outcomes;
    for (Step& step : steps_) outcomes.push_back(std::move(*step.outcome));
    return outcomes;
  }

 private:
  /// Written by one thread at a time: the one that has the step in hand.
  struct Step {
    std::optional<StepOutcome> outcome;
    int tries = 0;
  };
  /// What the plan is to hear.
  struct News {
    std::optional<StepId> ended, postponed, resumed;
  };

  void launch(std::vector<StepId> ready) noexcept {
    for (std::size_t i = 0; i < ready.size(); ++i) {
      const std::vector<StepId> more = start_turn(ready[i]);
      ready.insert(ready.end(), more.begin(), more.end());
    }
  }

  // Returns what to start in its stead if there is no thread to run it on.
  std::vector<StepId> start_turn(StepId id) noexcept {
    try {
      batch_->start([this, id] { run_turn(id); }, {});
    } catch (const std::exception& e) {
      return fail(id, e);
    }
    return {};
  }

  // Runs the step, and then one of those that are ready because of it, for as long as a turn is.
  void run_turn(StepId id) noexcept {
    const auto end = std::chrono::steady_clock::now() + kTurn;
    while (true) {
      steps_[id.value].outcome =
          outcome_of(stop_.get_token(), [&] { return runner_.run(id, stop_.get_token()); });
      std::vector<StepId> ready = after_run(id);
      if (ready.empty()) return;
      if (std::chrono::steady_clock::now() >= end) return launch(std::move(ready));
      if (ready.size() > 1) launch({ready.begin() + 1, ready.end()});
      id = ready.front();
    }
  }

  std::vector<StepId> fail(StepId id, const std::exception& e) {
    steps_[id.value].outcome = Failed{e.what(), /*retryable=*/false, std::current_exception()};
    return record(id);
  }

  std::vector<StepId> after_run(StepId id) {
    Step& step = steps_[id.value];
    if (!step.outcome) return wait_for(id);
    const Failed* failed = std::get_if<Failed>(&*step.outcome);
    if (!failed || !failed->retryable || ++step.tries >= options_.tries || stop_.stop_requested()) return record(id);
    step.outcome.reset();
    return advance({.ended = {}, .postponed = id, .resumed = id});
  }

  std::vector<StepId> wait_for(StepId id) {
    std::vector<StepId> ready = advance({.ended = {}, .postponed = id, .resumed = {}});
    const auto wait = [this, id] {
      steps_[id.value].outcome = outcome_of(stop_.get_token(), [&] {
        runner_.wait(id, stop_.get_token());
        return StepRun::MustWait;   // for its turn
      });
    };
    try {
      batch_->start(wait, [this, id] {
        launch(steps_[id.value].outcome ? record(id) : advance({.ended = {}, .postponed = {}, .resumed = id}));
      });
    } catch (const std::exception& e) {
      const std::vector<StepId> more = fail(id, e);
      ready.insert(ready.end(), more.begin(), more.end());
    }
    return ready;
  }

  // The runner hears of a step before the plan does, because the plan may then start what needs it.
  std::vector<StepId> record(StepId id) {
    const StepOutcome& outcome = *steps_[id.value].outcome;
    runner_.on_finished(id, outcome);
    if (std::holds_alternative<Failed>(outcome) && !options_.keep_going) stop_.request_stop();
    return advance({.ended = id, .postponed = {}, .resumed = {}});
  }

  // Tells the plan the news, reports the steps that end with it, and returns those to start.
  std::vector<StepId> advance(const News& news) {
    std::vector<StepId> dropped;
    std::vector<StepId> ready;
    bool memory_matters = false;
    {
      auto plan = plan_.lock();
      if (news.ended) dropped = plan->finish(*news.ended, *steps_[news.ended->value].outcome);
      if (news.postponed) plan->postpone(*news.postponed);
      if (news.resumed) plan->resume(*news.resumed);
      if (stop_.stop_requested()) {
        const std::vector<StepId> cancelled = plan->cancel_waiting();
        dropped.insert(dropped.end(), cancelled.begin(), cancelled.end());
      } else {
        memory_matters = options_.memory && plan->memory_matters();
        if (!memory_matters) ready = take_ready(*plan);
      }
      for (const StepId id : dropped) steps_[id.value].outcome = plan->outcome(id);
    }
    for (const StepId id : dropped) runner_.on_finished(id, *steps_[id.value].outcome);
    if (!memory_matters) return ready;
    const std::uint64_t memory = options_.memory();
    auto plan = plan_.lock();
    plan->set_limits({.slots = options_.pool_slots, .memory = memory});
    return take_ready(*plan);
  }

  std::vector<StepId> take_ready(Plan& plan) const { return plan.take_ready(slots_ - std::min(slots_, plan.running())); }

  std::vector<Step> steps_;
  Synchronized<Plan> plan_;
  StepRunner& runner_;
  const SchedulerOptions& options_;
  const std::size_t slots_;
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
