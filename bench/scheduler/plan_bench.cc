// What a step costs besides its work: the plan alone, and a whole run of steps that do nothing.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "scheduler/executor.h"
#include "scheduler/plan.h"
#include "scheduler/scheduler.h"

namespace slipway {
namespace {

using Shape = std::vector<PlannedStep> (*)(std::size_t steps);

// Each step needs the one before.
std::vector<PlannedStep> chain(std::size_t steps) {
  std::vector<PlannedStep> out(steps);
  for (std::size_t i = 1; i < steps; ++i) out[i].after = {StepId{i - 1}};
  return out;
}

// One base, many platforms.
std::vector<PlannedStep> fan(std::size_t steps) {
  std::vector<PlannedStep> out(steps);
  for (std::size_t i = 1; i < steps; ++i) out[i].after = {StepId{0}};
  return out;
}

// Fork and join again and again: 1, 8, 1, 8, …
std::vector<PlannedStep> diamond(std::size_t steps) {
  constexpr std::size_t kPeriod = 9;
  std::vector<PlannedStep> out(steps);
  for (std::size_t i = 1; i < steps; ++i) {
    const std::size_t fork = i - i % kPeriod;
    if (i != fork) {
      out[i].after = {StepId{fork}};
    } else {
      for (std::size_t k = i - (kPeriod - 1); k < i; ++k) out[i].after.push_back(StepId{k});
    }
  }
  return out;
}

// Up to three inputs among the hundred steps before, costs that differ.
std::vector<PlannedStep> random_dag(std::size_t steps) {
  std::mt19937 random(42);
  std::vector<PlannedStep> out(steps);
  for (std::size_t i = 0; i < steps; ++i) {
    out[i].cost = static_cast<double>(random() % 100);
    for (std::size_t k = random() % 4; k > 0 && i > 0; --k)
      out[i].after.push_back(StepId{i - 1 - random() % std::min<std::size_t>(i, 100)});
  }
  return out;
}

std::size_t drain(Plan& plan) {
  std::size_t finished = 0;
  for (std::vector<StepId> ready = plan.take_ready(64); !ready.empty(); ready = plan.take_ready(64)) {
    for (const StepId id : ready) plan.finish(id, Succeeded{});
    finished += ready.size();
  }
  return finished;
}

void BM_PlanDrain(benchmark::State& state, Shape shape) {
  Plan fresh;
  for (PlannedStep& step : shape(static_cast<std::size_t>(state.range(0)))) fresh.add(std::move(step));
  for (auto _ : state) {
    state.PauseTiming();
    Plan plan = fresh;
    state.ResumeTiming();
    benchmark::DoNotOptimize(drain(plan));
    state.PauseTiming();
    if (!plan.done()) state.SkipWithError("the plan was not drained");
    plan = Plan();   // its destruction is not the subject
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK_CAPTURE(BM_PlanDrain, chain, chain)->RangeMultiplier(10)->Range(100, 10'000);
BENCHMARK_CAPTURE(BM_PlanDrain, fan, fan)->RangeMultiplier(10)->Range(100, 10'000);
BENCHMARK_CAPTURE(BM_PlanDrain, diamond, diamond)->RangeMultiplier(10)->Range(100, 10'000);
BENCHMARK_CAPTURE(BM_PlanDrain, random, random_dag)->RangeMultiplier(10)->Range(100, 10'000);

class NoOpRunner final : public StepRunner {
 public:
  StepRun run(StepId, std::stop_token) override { return StepRun::Done; }
  void on_finished(StepId, const StepOutcome&) noexcept override {}
};

// From descriptions of steps to outcomes, on the executor of real builds.
void BM_Solve(benchmark::State& state, Shape shape) {
  const std::vector<PlannedStep> steps = shape(static_cast<std::size_t>(state.range(0)));
  TbbExecutor executor;
  NoOpRunner runner;
  for (auto _ : state) {
    Plan plan;
    for (const PlannedStep& step : steps) plan.add(step);
    const std::vector<StepOutcome> outcomes = run_plan(std::move(plan), runner, executor, {}, {});
    if (outcomes.size() != steps.size()) state.SkipWithError("not every step has ended");
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.counters["us_per_step"] = benchmark::Counter(
      static_cast<double>(state.iterations() * state.range(0)) / 1e6,
      benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK_CAPTURE(BM_Solve, chain, chain)->Arg(10'000)->Arg(100'000)->UseRealTime()->MeasureProcessCPUTime();
BENCHMARK_CAPTURE(BM_Solve, fan, fan)->Arg(10'000)->Arg(100'000)->UseRealTime()->MeasureProcessCPUTime();
BENCHMARK_CAPTURE(BM_Solve, diamond, diamond)->Arg(10'000)->Arg(100'000)->UseRealTime()->MeasureProcessCPUTime();
BENCHMARK_CAPTURE(BM_Solve, random, random_dag)->Arg(10'000)->Arg(100'000)->UseRealTime()->MeasureProcessCPUTime();

}  // namespace
}  // namespace slipway
