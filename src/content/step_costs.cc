#include "content/step_costs.h"

#include <optional>

#include "content/database.h"

namespace slipway {

namespace {
constexpr std::uint64_t kMostKept = 100'000;
}  // namespace

std::map<Digest, StepCost> StepCosts::find(const std::vector<Digest>& steps) {
  std::map<Digest, StepCost> found;
  for (const Digest& step : steps)
    if (const auto cost = database_.find_step_cost(step)) found.emplace(step, *cost);
  return found;
}

void StepCosts::record(const std::map<Digest, StepCost>& costs) {
  if (!costs.empty()) database_.put_step_costs(costs, kMostKept);
}

}  // namespace slipway
