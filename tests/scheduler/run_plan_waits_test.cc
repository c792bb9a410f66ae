// Steps that must wait for somebody outside the plan, that are tried again, and that share pools and memory.
#include <array>
#include <atomic>
#include <latch>
#include <thread>

#include "base/error.h"
#include "scheduler/executors.h"
#include "scheduler/fake_step_runner.h"

namespace slipway {

inline void PrintTo(StepId id, std::ostream* out) { *out << "step " << id.value; }

namespace {

using testing::Each;
using testing::ElementsAre;

/// Step 0 must wait so many times.
class WaitingRunner final : public StepRunner {
 public:
  StepRun run(StepId step, std::stop_token stop) override {
    ++runs[step.value];
    if (step.value == 0 && waits_left-- > 0) return StepRun::MustWait;
    if (on_run) on_run(step, stop);
    return StepRun::Done;
  }
  void wait(StepId step, std::stop_token stop) override {
    ++waits[step.value];
    if (on_wait) on_wait(stop);
  }
  void on_finished(StepId step, const StepOutcome& outcome) noexcept override {
    finished.lock()->push_back(outcome_name(outcome) + std::to_string(step.value));
  }

  std::atomic<int> waits_left = 1;
  std::function<void(StepId, std::stop_token)> on_run;
  std::function<void(std::stop_token)> on_wait;
  std::array<std::atomic<int>, 8> runs{}, waits{};
  Synchronized<std::vector<std::string>> finished;
};

class RunPlanWaits : public testing::TestWithParam<ExecutorCase> {
 protected:
  std::vector<std::string> run(const SchedulerOptions& options = {}) {
    const std::unique_ptr<Executor> executor = GetParam().make();
    std::vector<std::string> names;
    for (const StepOutcome& outcome : run_plan(plan, runner, *executor, options, stop.get_token()))
      names.push_back(outcome_name(outcome));
    return names;
  }
  Plan plan;
  WaitingRunner runner;
  std::stop_source stop;
};
class RunPlanWaitsConcurrently : public RunPlanWaits {};

TEST_P(RunPlanWaits, StepThatMustWaitIsRunAgainBeforeWhatNeedsIt) {
  plan.add({.name = "a"});
  plan.add({.name = "b", .after = {StepId{0}}});
  runner.waits_left = 3;
  EXPECT_THAT(run(), ElementsAre("succeeded", "succeeded"));
  EXPECT_EQ(runner.runs[0], 4);
  EXPECT_EQ(runner.waits[0], 3);
  EXPECT_THAT(*runner.finished.lock(), ElementsAre("succeeded0", "succeeded1"));
}

TEST_P(RunPlanWaits, FailureToWaitIsTheStepsFailure) {
  plan.add({.name = "a"});
  plan.add({.name = "b", .after = {StepId{0}}});
  runner.on_wait = [](std::stop_token) { throw SystemError(EIO, "flock"); };
  EXPECT_THAT(run(), ElementsAre("failed", "skipped"));
  EXPECT_EQ(runner.runs[0], 1);
}

TEST_P(RunPlanWaits, StopEndsAWait) {
  plan.add({.name = "a"});
  plan.add({.name = "b", .after = {StepId{0}}});
  runner.on_wait = [&](std::stop_token token) {
    stop.request_stop();
    EXPECT_TRUE(token.stop_requested());
    throw Cancelled{};
  };
  EXPECT_THAT(run(), ElementsAre("cancelled", "cancelled"));
}

TEST_P(RunPlanWaits, RetryableFailureIsTriedAgain) {
  runner.waits_left = 0;
  runner.on_run = [&](StepId step, std::stop_token) {
    if (runner.runs[step.value] < 3) throw TransportError("connection reset", /*retryable=*/true, 503);
  };
  plan.add({.name = "a"});
  EXPECT_THAT(run({.tries = 3}), ElementsAre("succeeded"));
  EXPECT_THAT(*runner.finished.lock(), ElementsAre("succeeded0"));
  runner.runs[0] = 0;
  EXPECT_THAT(run({.tries = 2}), ElementsAre("failed"));
  EXPECT_EQ(runner.runs[0], 2);
}

TEST_P(RunPlanWaits, OtherFailuresAreNotTriedAgain) {
  runner.waits_left = 0;
  runner.on_run = [](StepId, std::stop_token) { throw BuildFailed("exit code: 1"); };
  plan.add({.name = "a"});
  EXPECT_THAT(run({.tries = 3}), ElementsAre("failed"));
  EXPECT_EQ(runner.runs[0], 1);
}

TEST_P(RunPlanWaits, MemoryIsAskedForWhenNoneThatNeedsItRuns) {
  runner.waits_left = 0;
  std::atomic<int> asked = 0, needing = 0, together = 0;
  for (int i = 0; i < 6; ++i) plan.add({.name = "step", .memory = 60});
  runner.on_run = [&](StepId, std::stop_token) {
    if (++needing > 1) ++together;
    --needing;
  };
  const auto memory = [&]() -> std::uint64_t {
    ++asked;
    return 100;
  };
  EXPECT_THAT(run({.memory = memory}), Each(std::string("succeeded")));
  EXPECT_EQ(together, 0);
  EXPECT_GE(asked, 6);
}

TEST_P(RunPlanWaits, StepsThatNeedNoMemoryDoNotAskForAny) {
  runner.waits_left = 0;
  plan.add({.name = "a"});
  run({.memory = []() -> std::uint64_t {
    ADD_FAILURE() << "asked";
    return 0;
  }});
}

INSTANTIATE_TEST_SUITE_P(On, RunPlanWaits, testing::Values(kInline, kThread, kTbb), executor_name);

TEST_P(RunPlanWaitsConcurrently, WhoWaitsLeavesItsSlotToOthers) {
  plan.add({.name = "a", .cost = 9});
  plan.add({.name = "b"});
  std::latch b_ran(1);
  runner.on_wait = [&](std::stop_token) { b_ran.wait(); };
  runner.on_run = [&](StepId step, std::stop_token) {
    if (step.value == 1) b_ran.count_down();
  };
  EXPECT_THAT(run({.slots = 1}), Each(std::string("succeeded")));
}

TEST_P(RunPlanWaitsConcurrently, PoolRunsNoMoreStepsThanItHasSlots) {
  runner.waits_left = 0;
  std::atomic<int> inside = 0, most = 0;
  for (int i = 0; i < 7; ++i) plan.add({.name = "step", .pool = i < 4 ? 0U : 1U});
  runner.on_run = [&](StepId step, std::stop_token) {
    if (step.value >= 4) return;
    const int now = ++inside;
    int seen = most;
    while (seen < now && !most.compare_exchange_weak(seen, now)) {}
    --inside;
  };
  EXPECT_THAT(run({.pool_slots = {1}}), Each(std::string("succeeded")));
  EXPECT_EQ(most, 1);
}

INSTANTIATE_TEST_SUITE_P(On, RunPlanWaitsConcurrently, testing::Values(kThread, kTbb), executor_name);

}  // namespace
}  // namespace slipway
