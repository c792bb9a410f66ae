// Random graphs with random failures, retries and waits on every executor; what is checked holds for each
// order of events.
#include <algorithm>
#include <atomic>
#include <memory>
#include <random>
#include <thread>

#include "base/error.h"
#include "scheduler/executors.h"
#include "scheduler/fake_step_runner.h"

namespace slipway {
namespace {

constexpr std::size_t kSteps = 10'000;

struct RandomGraph {
  Plan plan;
  std::vector<std::vector<StepId>> inputs;
  std::vector<bool> fails;
};

RandomGraph random_graph(unsigned seed, double failure_rate) {
  std::mt19937 random(seed);
  std::bernoulli_distribution fails(failure_rate);
  RandomGraph graph;
  for (std::size_t i = 0; i < kSteps; ++i) {
    std::vector<StepId> after;
    for (std::size_t k = random() % 4; k > 0 && i > 0; --k) {
      const std::size_t window = std::min<std::size_t>(i, 60);
      after.push_back(StepId{i - 1 - random() % window});
    }
    graph.inputs.push_back(after);
    graph.fails.push_back(fails(random));
    graph.plan.add({.name = "step", .after = after, .cost = static_cast<double>(random() % 10)});
  }
  return graph;
}

// Checks the promises of run_plan from inside the steps.
class CheckingRunner final : public StepRunner {
 public:
  explicit CheckingRunner(const RandomGraph& graph)
      : graph_(graph), ended_(kSteps), finished_(kSteps), calls_(kSteps), waits_(kSteps) {}

  StepRun run(StepId step, std::stop_token stop) override {
    const int now = ++running_;
    int most = most_running_;
    while (most < now && !most_running_.compare_exchange_weak(most, now)) {
    }
    for (const StepId input : graph_.inputs[step.value]) early_ += ended_[input.value] != 1;
    if (step.value == stop_at) stop_source.request_stop();
    --running_;
    const int earlier = calls_[step.value]++;
    const bool has_to_wait = step.value % 13 == 5;
    if (has_to_wait && earlier == 0) return StepRun::MustWait;
    if (step.value % 17 == 3 && earlier == has_to_wait)
      throw TransportError("reset", /*retryable=*/true, 503);
    if (stop.stop_requested() && step.value % 2) throw Cancelled{};
    if (graph_.fails[step.value]) throw BuildFailed("exit 1");
    return StepRun::Done;
  }

  void wait(StepId step, std::stop_token) override { ++waits_[step.value]; }

  void on_finished(StepId step, const StepOutcome& outcome) noexcept override {
    ++finished_[step.value];
    ended_[step.value] = std::holds_alternative<Succeeded>(outcome) ? 1 : 2;
  }

  void expect_promises_kept(std::size_t slots, const std::vector<StepOutcome>& outcomes) const {
    EXPECT_EQ(early_, 0) << "steps that started before their inputs had succeeded and been reported";
    EXPECT_LE(most_running_, static_cast<int>(slots));
    EXPECT_TRUE(std::ranges::all_of(finished_, [](const std::atomic<int>& count) { return count == 1; }));
    for (std::size_t i = 0; i < kSteps; ++i) {
      ASSERT_EQ(ended_[i] == 1, std::holds_alternative<Succeeded>(outcomes[i])) << "step " << i;
      if (ended_[i] != 1) continue;
      const int waits = i % 13 == 5, failures = i % 17 == 3;  // that it gets over
      ASSERT_EQ(calls_[i], 1 + waits + failures) << "step " << i;
      ASSERT_EQ(waits_[i], waits) << "step " << i;
    }
  }

  std::size_t stop_at = kSteps;
  std::stop_source stop_source;

 private:
  const RandomGraph& graph_;
  std::vector<std::atomic<int>> ended_;
  std::vector<std::atomic<int>> finished_;
  std::vector<std::atomic<int>> calls_, waits_;
  std::atomic<int> running_ = 0;
  std::atomic<int> most_running_ = 0;
  std::atomic<int> early_ = 0;
};

// What keep_going promises, whatever the order.
std::vector<std::string> expected_outcomes(const RandomGraph& graph) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < kSteps; ++i) {
    const bool runs =
        std::ranges::all_of(graph.inputs[i], [&](StepId id) { return out[id.value] == "succeeded"; });
    out.push_back(!runs ? "skipped" : graph.fails[i] ? "failed" : "succeeded");
  }
  return out;
}

class RunPlanStress : public testing::TestWithParam<ExecutorCase> {};

TEST_P(RunPlanStress, KeepGoingGivesTheSameOutcomesInAnyOrder) {
  const RandomGraph graph = random_graph(1, 0.01);
  CheckingRunner runner(graph);
  const auto executor = GetParam().make();
  const auto outcomes =
      run_plan(graph.plan, runner, *executor, {.slots = 16, .keep_going = true, .tries = 2}, {});
  runner.expect_promises_kept(16, outcomes);
  std::vector<std::string> names;
  for (const StepOutcome& outcome : outcomes) names.push_back(outcome_name(outcome));
  EXPECT_EQ(names, expected_outcomes(graph));
}

TEST_P(RunPlanStress, FirstFailureEndsTheRunInGoodOrder) {
  const RandomGraph graph = random_graph(2, 0.002);
  CheckingRunner runner(graph);
  const auto executor = GetParam().make();
  const auto outcomes = run_plan(graph.plan, runner, *executor, {.slots = 16, .tries = 2}, {});
  runner.expect_promises_kept(16, outcomes);
}

TEST_P(RunPlanStress, StopInTheMiddleEndsTheRunInGoodOrder) {
  const RandomGraph graph = random_graph(3, 0);
  CheckingRunner runner(graph);
  runner.stop_at = kSteps / 2;
  const auto executor = GetParam().make();
  const auto outcomes =
      run_plan(graph.plan, runner, *executor, {.slots = 16, .tries = 2}, runner.stop_source.get_token());
  runner.expect_promises_kept(16, outcomes);
  EXPECT_TRUE(std::ranges::any_of(
      outcomes, [](const StepOutcome& outcome) { return std::holds_alternative<StepCancelled>(outcome); }));
}

TEST_P(RunPlanStress, RunsSideBySideDoNotDisturbEachOther) {
  const RandomGraph graph = random_graph(4, 0.01);
  const auto executor = GetParam().make();
  CheckingRunner one(graph);
  CheckingRunner two(graph);
  std::vector<StepOutcome> outcomes_of_one;
  {
    const std::jthread side([&] {
      outcomes_of_one =
          run_plan(graph.plan, one, *executor, {.slots = 5, .keep_going = true, .tries = 2}, {});
    });
    two.expect_promises_kept(
        7, run_plan(graph.plan, two, *executor, {.slots = 7, .keep_going = true, .tries = 2}, {}));
  }
  one.expect_promises_kept(5, outcomes_of_one);
}

INSTANTIATE_TEST_SUITE_P(On, RunPlanStress, testing::Values(kInline, kThread, kTbb), executor_name);

}  // namespace
}  // namespace slipway
