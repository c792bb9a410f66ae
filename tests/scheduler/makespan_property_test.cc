// Random graphs of 10,000 steps, run on simulated machines: time is a number, machines are slots.
//
// Bounds. Let W be the sum of all durations, C the longest path, m the machines. No schedule is shorter than
// L = max(W/m, C). Any list schedule, which never leaves a machine idle while a step is ready, takes at most
// G = W/m + (1 - 1/m) C (Graham 1966; between L and 2L). That the plan keeps G, whatever the durations turn out to
// be, says that it is one. How good its order is, is measured against L, the only bound that knows nothing of
// schedules: the makespan is at most 1.1 L. No algorithm can promise that for every graph (the problem is NP-hard,
// and the optimum itself may be above 1.1 L), so it is a statement about these graphs: of the kinds that builds have,
// with recorded durations as costs.
#include <algorithm>
#include <cmath>
#include <functional>
#include <queue>
#include <random>
#include <tuple>

#include "scheduler/plan.h"

namespace slipway {
namespace {

constexpr std::size_t kSteps = 10'000;

struct Dag {
  std::vector<PlannedStep> steps;
  std::vector<double> seconds;   ///< that each takes
};

double duration(std::mt19937& random) {
  return std::lognormal_distribution<double>(0.0, 1.0)(random);   // many short steps, a few long ones
}

void add_step(Dag& dag, std::vector<StepId> after, std::mt19937& random) {
  dag.seconds.push_back(duration(random));
  dag.steps.push_back({.name = "step", .after = std::move(after), .cost = dag.seconds.back()});
}

/// Up to three inputs among the `window` steps before: narrow ones are deep.
Dag random_dag(unsigned seed, std::size_t window) {
  std::mt19937 random(seed);
  Dag dag;
  for (std::size_t i = 0; i < kSteps; ++i) {
    std::vector<StepId> after;
    for (std::size_t k = random() % 4; k > 0 && i > 0; --k)
      after.push_back(StepId{i - 1 - random() % std::min(i, window)});
    add_step(dag, std::move(after), random);
  }
  return dag;
}

/// A Dockerfile's graph for many platforms: chains of ten steps, some of whose first are shared by all, that now and
/// then copy from another chain; one step at the end of each platform, and one of all.
Dag platforms_dag(unsigned seed) {
  std::mt19937 random(seed);
  Dag dag;
  std::vector<StepId> shared, ends;
  for (std::size_t i = 0; i < 100; ++i) {
    std::vector<StepId> after;
    if (i % 10) after.push_back(StepId{i - 1});
    add_step(dag, std::move(after), random);
    shared.push_back(StepId{i});
  }
  while (dag.steps.size() < kSteps - 1) {
    std::vector<StepId> after{shared[random() % shared.size()]};
    for (int i = 0; i < 10 && dag.steps.size() < kSteps - 1; ++i) {
      if (random() % 4 == 0) after.push_back(StepId{random() % dag.steps.size()});
      add_step(dag, std::move(after), random);
      after = {StepId{dag.steps.size() - 1}};
    }
    ends.push_back(StepId{dag.steps.size() - 1});
  }
  add_step(dag, std::move(ends), random);
  return dag;
}

Dag independent(unsigned seed) {
  std::mt19937 random(seed);
  Dag dag;
  for (std::size_t i = 0; i < kSteps; ++i) add_step(dag, {}, random);
  return dag;
}

struct Bounds {
  double lower, graham;
  std::size_t parallelism;   ///< W/C: with so many machines both bounds bind, which is the hardest case
};

Bounds bounds_of(const Dag& dag, std::size_t machines) {
  std::vector<double> end(dag.steps.size());
  double work = 0, critical = 0;
  for (std::size_t i = 0; i < dag.steps.size(); ++i) {
    for (const StepId input : dag.steps[i].after) end[i] = std::max(end[i], end[input.value]);
    end[i] += dag.seconds[i];
    work += dag.seconds[i];
    critical = std::max(critical, end[i]);
  }
  const auto m = static_cast<double>(machines);
  return {.lower = std::max(work / m, critical), .graham = work / m + (1 - 1 / m) * critical,
          .parallelism = std::max<std::size_t>(1, static_cast<std::size_t>(std::lround(work / critical)))};
}

/// What may happen to a step besides success; each asked once it has taken its time.
struct Faults {
  double fail = 0, postpone = 0;
  double cancel_at = -1;   ///< the time at which everything that has not started is cancelled
  unsigned seed = 1;
};

/// Runs a graph to its end and checks what must hold on the way.
class Simulation {
 public:
  Simulation(const Dag& dag, PlanLimits limits, Faults faults)
      : dag_(dag), faults_(faults), random_(faults.seed), started_(dag.steps.size()), seen_(dag.steps.size()) {
    for (const PlannedStep& step : dag.steps) plan_.add(step);
    plan_.set_limits(std::move(limits));
  }

  void run() {
    start_ready();
    while (!events_.empty()) {
      const Event event = events_.top();
      if (faults_.cancel_at >= 0 && event.time >= faults_.cancel_at) cancel();
      events_.pop();
      now = event.time;
      happen(event);
      start_ready();
    }
    EXPECT_TRUE(plan_.done());
    EXPECT_EQ(plan_.running(), 0U);
    for (std::size_t i = 0; i < dag_.steps.size(); ++i) {
      ASSERT_TRUE(plan_.finished(StepId{i}));
      ASSERT_EQ(seen_[i], 1) << "step " << i << " is to be reported exactly once";
      ASSERT_LE(started_[i], 1) << "step " << i;
      if (succeeded(i)) {
        ASSERT_EQ(started_[i], 1);
      } else {
        ++not_succeeded;
      }
    }
  }

  bool succeeded(std::size_t i) const { return std::holds_alternative<Succeeded>(plan_.outcome(StepId{i})); }
  const Plan& plan() const { return plan_; }
  double now = 0;
  std::size_t most_running = 0, not_succeeded = 0;

 private:
  struct Event {
    double time;
    StepId step;
    bool back;   ///< from being postponed
    bool operator>(const Event& other) const { return std::tie(time, step) > std::tie(other.time, other.step); }
  };

  bool chance(double probability) {
    return probability > 0 && std::bernoulli_distribution(probability)(random_);
  }

  void start_ready() {
    for (const StepId id : plan_.take_ready()) {
      for (const StepId input : dag_.steps[id.value].after) {
        EXPECT_TRUE(plan_.finished(input)) << "step " << id.value << " started before its input " << input.value;
        EXPECT_TRUE(plan_.finished(input) && succeeded(input.value));
      }
      if (chance(faults_.postpone)) {
        plan_.postpone(id);
        events_.push({now + duration(random_), id, true});
        continue;
      }
      ++started_[id.value];
      events_.push({now + dag_.seconds[id.value], id, false});
    }
    most_running = std::max(most_running, plan_.running());
  }

  void happen(const Event& event) {
    if (event.back) {
      if (cancelled_) {
        end(event.step, StepCancelled{});
      } else {
        plan_.resume(event.step);
      }
    } else if (chance(faults_.fail)) {
      end(event.step, Failed{"exit 1"});
    } else {
      end(event.step, Succeeded{});
    }
  }

  void end(StepId id, StepOutcome outcome) {
    ++seen_[id.value];
    for (const StepId dropped : plan_.finish(id, std::move(outcome))) ++seen_[dropped.value];
  }

  void cancel() {
    cancelled_ = true;
    for (const StepId dropped : plan_.cancel_waiting()) ++seen_[dropped.value];
    faults_.cancel_at = -1;
  }

  const Dag& dag_;
  Faults faults_;
  std::mt19937 random_;
  Plan plan_;
  std::vector<int> started_, seen_;
  bool cancelled_ = false;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
};

struct ShapeCase {
  const char* name;
  std::function<Dag(unsigned)> make;
};
inline void PrintTo(const ShapeCase& row, std::ostream* out) { *out << row.name; }

class Makespan : public testing::TestWithParam<ShapeCase> {};

TEST_P(Makespan, IsWithinATenthOfWhatNoScheduleCanBeat) {
  for (unsigned seed = 1; seed <= 3; ++seed) {
    const Dag dag = GetParam().make(seed);
    const std::size_t hardest = bounds_of(dag, 1).parallelism;
    for (const std::size_t machines : std::vector<std::size_t>{1, 2, 8, 32, 128, 1000, hardest}) {
      SCOPED_TRACE(testing::Message() << "seed " << seed << ", " << machines << " machines");
      const Bounds bounds = bounds_of(dag, machines);
      Simulation simulation(dag, {.slots = {machines}}, {});
      simulation.run();
      EXPECT_LE(simulation.most_running, machines);
      EXPECT_GE(simulation.now, bounds.lower * (1 - 1e-9));
      EXPECT_LE(simulation.now, bounds.graham * (1 + 1e-9));
      EXPECT_LE(simulation.now, 1.1 * bounds.lower);
    }
  }
}

TEST_P(Makespan, ListScheduleBoundHoldsWhenRecordedDurationsAreWrong) {
  Dag dag = GetParam().make(7);
  std::mt19937 random(7);
  for (PlannedStep& step : dag.steps) step.cost = duration(random);
  for (const std::size_t machines : {2U, 32U}) {
    Simulation simulation(dag, {.slots = {machines}}, {});
    simulation.run();
    EXPECT_LE(simulation.now, bounds_of(dag, machines).graham * (1 + 1e-9));
  }
}

TEST_P(Makespan, EveryStepIsAccountedForWhateverHappens) {
  for (unsigned seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE(seed);
    const Dag dag = GetParam().make(seed);
    const double end = bounds_of(dag, 16).lower;
    Simulation simulation(
        dag, {.slots = {16}},
        {.fail = 0.001, .postpone = 0.1, .cancel_at = seed % 2 ? -1 : end / 2, .seed = seed});
    simulation.run();
    EXPECT_GT(simulation.not_succeeded, 0U);
    EXPECT_LE(simulation.most_running, 16U);
  }
}

TEST_P(Makespan, WithoutACancelOnlyWhatNeedsAFailureIsSkipped) {
  const Dag dag = GetParam().make(11);
  Simulation simulation(dag, {.slots = {16}}, {.fail = 0.001, .postpone = 0.05});
  simulation.run();
  for (std::size_t i = 0; i < dag.steps.size(); ++i) {
    const bool could_run = std::ranges::all_of(dag.steps[i].after,
                                               [&](StepId input) { return simulation.succeeded(input.value); });
    ASSERT_EQ(could_run, !std::holds_alternative<Skipped>(simulation.plan().outcome(StepId{i}))) << i;
  }
}

TEST_P(Makespan, NodesHaveSlotsAndMemoryIsShared) {
  Dag dag = GetParam().make(5);
  std::mt19937 random(5);
  for (PlannedStep& step : dag.steps) {
    step.pool = random() % 3;
    step.memory = random() % 2 ? random() % 100 : 0;
  }
  Simulation simulation(dag, {.slots = {4, 8, 16}, .memory = 500}, {});
  simulation.run();
  EXPECT_LE(simulation.most_running, 28U);
  EXPECT_EQ(simulation.not_succeeded, 0U);
}

INSTANTIATE_TEST_SUITE_P(
    Of, Makespan,
    testing::Values(ShapeCase{"Deep", [](unsigned seed) { return random_dag(seed, 30); }},
                    ShapeCase{"Wide", [](unsigned seed) { return random_dag(seed, 3000); }},
                    ShapeCase{"Platforms", platforms_dag}, ShapeCase{"Independent", independent}),
    [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace slipway
