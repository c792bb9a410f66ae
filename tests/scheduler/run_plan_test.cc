#include <atomic>
#include <condition_variable>
#include <latch>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "base/error.h"
#include "scheduler/scheduler.h"
#include "scheduler/executors.h"
#include "scheduler/fake_step_runner.h"

namespace slipway {

inline void PrintTo(StepId id, std::ostream* out) { *out << "step " << id.value; }

namespace {

using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using testing::UnorderedElementsAre;

std::vector<std::string> names(const std::vector<StepOutcome>& outcomes) {
  std::vector<std::string> out;
  for (const StepOutcome& outcome : outcomes) out.push_back(outcome_name(outcome));
  return out;
}

// Blocks until `stop` is requested, as a child process or a transfer would.
void sleep_until_stopped(std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any wakeup;
  std::unique_lock lock(mutex);
  wakeup.wait(lock, stop, [] { return false; });
  throw Cancelled{};
}

class RunPlan : public testing::TestWithParam<ExecutorCase> {
 protected:
  std::vector<std::string> run(const SchedulerOptions& options = {}, std::stop_token stop = {}) {
    const std::unique_ptr<Executor> executor = GetParam().make();
    outcomes = run_plan(plan, runner, *executor, options, stop);
    return names(outcomes);
  }

  Plan plan;
  FakeStepRunner runner;
  std::vector<StepOutcome> outcomes;
};

TEST_P(RunPlan, EmptyPlanReturnsAtOnce) {
  EXPECT_THAT(run(), IsEmpty());
  EXPECT_THAT(runner.finished(), IsEmpty());
}

TEST_P(RunPlan, RunsAChainInOrder) {
  const StepId a = plan.add({.name = "a"});
  const StepId b = plan.add({.name = "b", .after = {a}});
  const StepId c = plan.add({.name = "c", .after = {b}});
  EXPECT_THAT(run(), ElementsAre("succeeded", "succeeded", "succeeded"));
  EXPECT_THAT(runner.started(), ElementsAre(a, b, c));
  EXPECT_THAT(runner.finished(), ElementsAre(Pair(a, "succeeded"), Pair(b, "succeeded"), Pair(c, "succeeded")));
}

TEST_P(RunPlan, FailureSkipsDependentsAndCancelsTheRest) {
  const StepId bad = plan.add({.name = "bad", .cost = 9});
  const StepId needs_bad = plan.add({.name = "needs bad", .after = {bad}});
  const StepId waiting = plan.add({.name = "waiting"});
  runner.script(bad, [](std::stop_token) { throw BuildFailed("exit 1"); });

  EXPECT_THAT(run({.slots = 1}), ElementsAre("failed", "skipped", "cancelled"));
  EXPECT_THAT(runner.started(), ElementsAre(bad));
  EXPECT_THAT(runner.finished(), UnorderedElementsAre(Pair(bad, "failed"), Pair(needs_bad, "skipped"),
                                                      Pair(waiting, "cancelled")));
}

TEST_P(RunPlan, KeepGoingRunsWhatDoesNotNeedTheFailedStep) {
  const StepId bad = plan.add({.name = "bad", .cost = 9});
  plan.add({.name = "needs bad", .after = {bad}});
  const StepId other = plan.add({.name = "other"});
  plan.add({.name = "needs other", .after = {other}});
  runner.script(bad, [](std::stop_token stop) {
    EXPECT_FALSE(stop.stop_requested());
    throw BuildFailed("exit 1");
  });
  EXPECT_THAT(run({.slots = 1, .keep_going = true}), ElementsAre("failed", "skipped", "succeeded", "succeeded"));
}

TEST_P(RunPlan, FailureKeepsWhatTheStepThrew) {
  const StepId step = plan.add({.name = "pull"});
  runner.script(step, [](std::stop_token) { throw TransportError("connection reset", /*retryable=*/true, 503); });
  run();
  const auto& failed = std::get<Failed>(outcomes[0]);
  EXPECT_EQ(failed.message, "connection reset");
  EXPECT_TRUE(failed.retryable);
  EXPECT_THROW(std::rethrow_exception(failed.error), TransportError);
}

TEST_P(RunPlan, ForeignExceptionsAreFailuresThatAreNotRetried) {
  const StepId step = plan.add({.name = "bug"});
  runner.script(step, [](std::stop_token) { throw std::out_of_range("vector"); });
  const StepId odd = plan.add({.name = "odd"});
  runner.script(odd, [](std::stop_token) { throw 7; });
  EXPECT_THAT(run({.keep_going = true}), ElementsAre("failed", "failed"));
  EXPECT_EQ(std::get<Failed>(outcomes[0]).message, "vector");
  EXPECT_FALSE(std::get<Failed>(outcomes[0]).retryable);
  EXPECT_FALSE(std::get<Failed>(outcomes[1]).retryable);
}

TEST_P(RunPlan, StepCancelledFromElsewhereTakesItsDependentsAlong) {
  const StepId step = plan.add({.name = "step"});
  plan.add({.name = "next", .after = {step}});
  plan.add({.name = "other"});
  runner.script(step, [](std::stop_token) { throw Cancelled{}; });
  EXPECT_THAT(run(), ElementsAre("cancelled", "cancelled", "succeeded"));
}

TEST_P(RunPlan, StopBeforeTheStartRunsNothing) {
  plan.add({.name = "a"});
  plan.add({.name = "b", .after = {StepId{0}}});
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THAT(run({}, stop.get_token()), Each(std::string("cancelled")));
  EXPECT_THAT(runner.started(), IsEmpty());
  EXPECT_THAT(runner.finished(), SizeIs(2));
}

TEST_P(RunPlan, StopWakesASleepingStepAndCancelsTheRest) {
  std::latch asleep(1);
  const StepId sleeper = plan.add({.name = "sleeper"});
  plan.add({.name = "next", .after = {sleeper}});
  runner.script(sleeper, [&](std::stop_token stop) {
    asleep.count_down();
    sleep_until_stopped(stop);
  });
  std::stop_source stop;
  const std::jthread user([&] {
    asleep.wait();
    stop.request_stop();
  });
  EXPECT_THAT(run({}, stop.get_token()), ElementsAre("cancelled", "cancelled"));
}

TEST_P(RunPlan, StepThatSucceedsInSpiteOfAStopHasSucceeded) {
  std::stop_source stop;
  const StepId step = plan.add({.name = "step"});
  plan.add({.name = "next", .after = {step}});
  runner.script(step, [&](std::stop_token) { stop.request_stop(); });
  EXPECT_THAT(run({}, stop.get_token()), ElementsAre("succeeded", "cancelled"));
}

TEST_P(RunPlan, ZeroSlotsCountAsOne) {
  plan.add({.name = "a"});
  EXPECT_THAT(run({.slots = 0}), ElementsAre("succeeded"));
}

TEST_P(RunPlan, OneExecutorServesOneRunAfterTheOther) {
  const std::unique_ptr<Executor> executor = GetParam().make();
  plan.add({.name = "a"});
  for (int i = 0; i < 50; ++i)
    EXPECT_THAT(names(run_plan(plan, runner, *executor, {}, {})), ElementsAre("succeeded"));
}

TEST_P(RunPlan, MoreSlotsThanThreadsStillRunsAll) {
  for (int i = 0; i < 100; ++i) plan.add({.name = "leaf"});
  EXPECT_THAT(run({.slots = 1000}), AllOf(SizeIs(100), Each(std::string("succeeded"))));
}

INSTANTIATE_TEST_SUITE_P(On, RunPlan, testing::Values(kInline, kThread, kTbb), executor_name);

// What only an executor with several threads can show.
class RunPlanConcurrently : public RunPlan {};

TEST_P(RunPlanConcurrently, RunsSlotsStepsAtOnceAndNoMore) {
  std::latch three_inside(3);
  std::atomic<int> inside = 0;
  std::atomic<int> most = 0;
  for (int i = 0; i < 12; ++i) {
    const StepId step = plan.add({.name = "step"});
    runner.script(step, [&, i](std::stop_token) {
      const int now = ++inside;
      int seen = most;
      while (seen < now && !most.compare_exchange_weak(seen, now)) {}
      if (i < 3) three_inside.arrive_and_wait();
      --inside;
    });
  }
  run({.slots = 3});
  EXPECT_EQ(most, 3);
}

TEST_P(RunPlanConcurrently, FailureStopsTheStepsThatRun) {
  std::latch asleep(2);
  for (int i = 0; i < 2; ++i) {
    const StepId sleeper = plan.add({.name = "sleeper"});
    runner.script(sleeper, [&](std::stop_token stop) {
      asleep.count_down();
      sleep_until_stopped(stop);
    });
  }
  const StepId bad = plan.add({.name = "bad"});
  runner.script(bad, [&](std::stop_token) {
    asleep.wait();
    throw BuildFailed("exit 1");
  });
  EXPECT_THAT(run(), ElementsAre("cancelled", "cancelled", "failed"));
  EXPECT_EQ(runner.finished().front().first, bad);   // the cause is told before its consequences
}

TEST_P(RunPlanConcurrently, RunsShareAnExecutor) {
  const std::unique_ptr<Executor> executor = GetParam().make();
  std::latch both_inside(2);
  const StepId step = plan.add({.name = "step"});
  runner.script(step, [&](std::stop_token) { both_inside.arrive_and_wait(); });
  std::jthread other([&] { run_plan(plan, runner, *executor, {}, {}); });
  EXPECT_THAT(names(run_plan(plan, runner, *executor, {}, {})), ElementsAre("succeeded"));
}

INSTANTIATE_TEST_SUITE_P(On, RunPlanConcurrently, testing::Values(kThread, kTbb), executor_name);

// With one thread the order is exact: it is the plan's.
TEST(RunPlanInline, StartsStepsInTheOrderOfThePlan) {
  Plan plan;
  const StepId lint = plan.add({.name = "lint", .cost = 2});
  const StepId fetch = plan.add({.name = "fetch"});
  const StepId compile = plan.add({.name = "compile", .after = {fetch}, .cost = 10});
  FakeStepRunner runner;
  InlineExecutor executor;
  run_plan(plan, runner, executor, {.slots = 1}, {});
  EXPECT_THAT(runner.started(), ElementsAre(fetch, compile, lint));
}

// An executor that has no thread left for the second step.
class ExhaustedExecutor final : public Executor {
 public:
  std::unique_ptr<Batch> make_batch() override { return std::make_unique<Exhausted>(); }

 private:
  struct Exhausted final : Batch {
    void start(UniqueFunction body, UniqueFunction then) override {
      if (++started == 2) throw SystemError(EAGAIN, "start a thread");
      inner->start(std::move(body), std::move(then));
    }
    void wait() override { inner->wait(); }
    int started = 0;
    std::unique_ptr<Batch> inner = InlineExecutor().make_batch();
  };
};

TEST(RunPlanInline, StepThatNoThreadCanBeFoundForFails) {
  Plan plan;
  const StepId a = plan.add({.name = "a"});
  const StepId b = plan.add({.name = "b", .after = {a}});
  const StepId c = plan.add({.name = "c", .after = {b}});
  const StepId d = plan.add({.name = "d", .after = {a}});
  const StepId e = plan.add({.name = "e", .after = {d}, .cost = 0});
  FakeStepRunner runner;
  ExhaustedExecutor executor;
  // The first thread goes on with the first that is ready; the other finds none.
  EXPECT_THAT(names(run_plan(plan, runner, executor, {.keep_going = true}, {})),
              ElementsAre("succeeded", "succeeded", "succeeded", "failed", "skipped"));
  EXPECT_THAT(runner.started(), ElementsAre(a, b, c));
  EXPECT_THAT(runner.finished(), UnorderedElementsAre(Pair(a, "succeeded"), Pair(b, "succeeded"), Pair(c, "succeeded"),
                                                      Pair(d, "failed"), Pair(e, "skipped")));
}

}  // namespace
}  // namespace slipway
