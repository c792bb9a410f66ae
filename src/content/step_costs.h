#pragma once
// What steps cost when they ran last: how long they took, how much memory they needed. Estimates for
// planning, never part of a result.
#include <cstdint>
#include <map>
#include <vector>

#include "base/digest.h"

namespace slipway {

class Database;

struct StepCost {
  double seconds = 0;
  std::uint64_t memory = 0;  ///< bytes at the peak; 0: not known
  bool operator==(const StepCost&) const = default;
};

/// By a digest of what a step is, whatever it reads. Thread-safe; safe with other processes on the same
/// store.
class StepCosts {
 public:
  explicit StepCosts(Database& database) : database_(database) {}
  /// Those that are known.
  std::map<Digest, StepCost> find(const std::vector<Digest>& steps);
  /// One transaction. A duration counts half, what was known the other half; memory is that of the last run.
  /// The oldest beyond a hundred thousand are forgotten.
  void record(const std::map<Digest, StepCost>& costs);

 private:
  Database& database_;
};

}  // namespace slipway
