#pragma once
// What a build's steps will cost, from what they cost before: for the order in which they start, and for how
// many of them fit into memory at once.
#include <map>
#include <set>
#include <vector>

#include "base/synchronized.h"
#include "content/step_costs.h"
#include "graph/graph.h"

namespace slipway {

/// One for a build; thread-safe once it knows the steps.
class StepEstimates {
 public:
  explicit StepEstimates(StepCosts costs) : costs_(costs) {}

  /// Looks up those that a build is to run, before it does.
  void look_up(const std::vector<const Vertex*>& vertices);
  /// Seconds; `otherwise` for a step that was never measured.
  double seconds(const Vertex& vertex, double otherwise) const;
  /// Bytes; 0 if that is not known, or little.
  std::uint64_t memory(const Vertex& vertex) const;

  /// A step has run.
  void measured(const Vertex& vertex, const StepCost& cost);
  /// Once the build is over, however it ended.
  void record();

 private:
  StepCosts costs_;
  std::map<Digest, StepCost> known_;
  Synchronized<std::map<Digest, StepCost>> measured_;
};

}  // namespace slipway
