#include "build/step_estimates.h"

#include <utility>

#include "base/strings.h"
#include "cache/cache_key.h"

namespace slipway {

namespace {

// Less than that fits beside anything, and is hardly to be told from what slipway itself needs to start a
// step.
constexpr std::uint64_t kLittle = std::uint64_t{128} << 20;

/// The same for a step in the same place of an equal Dockerfile, whatever it reads.
Digest description_of(const Vertex& vertex) {
  return Digest::of(concat("slipway.cost.v1\n", vertex.info.name, "\n", own_definition(vertex)));
}

}  // namespace

void StepEstimates::look_up(const std::vector<const Vertex*>& vertices) {
  std::vector<Digest> descriptions;
  for (const Vertex* vertex : vertices) descriptions.push_back(description_of(*vertex));
  const std::map<Digest, StepCost> found = costs_.find(descriptions);
  for (std::size_t i = 0; i < vertices.size(); ++i)
    if (const auto cost = found.find(descriptions[i]); cost != found.end())
      known_.insert_or_assign(vertices[i]->digest, cost->second);
}

double StepEstimates::seconds(const Vertex& vertex, double otherwise) const {
  const auto known = known_.find(vertex.digest);
  return known == known_.end() ? otherwise : known->second.seconds;
}

std::uint64_t StepEstimates::memory(const Vertex& vertex) const {
  const auto known = known_.find(vertex.digest);
  return known == known_.end() || known->second.memory < kLittle ? 0 : known->second.memory;
}

void StepEstimates::measured(const Vertex& vertex, const StepCost& cost) {
  measured_.lock()->insert_or_assign(description_of(vertex), cost);
}

void StepEstimates::record() { costs_.record(std::exchange(*measured_.lock(), {})); }

}  // namespace slipway
