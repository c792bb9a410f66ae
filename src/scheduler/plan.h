#pragma once
// Which step may run next: a pure, single-threaded state machine without clock, threads or TBB.
#include <compare>
#include <cstddef>
#include <string>
#include <vector>

#include "scheduler/outcome.h"

namespace slipway {

struct StepId {
  std::size_t value = 0;
  auto operator<=>(const StepId&) const = default;
};

struct PlannedStep {
  std::string name;
  std::vector<StepId> after;   ///< steps added before it
  double cost = 1;             ///< expected seconds, for the critical path
};

/// Ready steps come in the order (longest path to the end first, then id), so runs are reproducible.
class Plan {
 public:
  /// May be called at any time. A step whose input already ended badly is finished at once (see finish()). A bug, and
  /// so an abort: an input that was not added before, a negative cost.
  StepId add(PlannedStep step);
  /// At most `slots` steps that may start now; they count as running.
  std::vector<StepId> take_ready(std::size_t slots = static_cast<std::size_t>(-1));
  /// Records the outcome of a running step; if it failed, all that depend on it become Skipped, and those are returned.
  /// What depends on a cancelled step becomes StepCancelled in the same way.
  std::vector<StepId> finish(StepId id, StepOutcome outcome);
  /// Every step that has not started becomes StepCancelled; returns them.
  std::vector<StepId> cancel_waiting();
  bool done() const;           ///< no step waits or runs
  std::size_t size() const;
  std::size_t running() const;
  const PlannedStep& step(StepId id) const;
  const StepOutcome& outcome(StepId id) const;   ///< only of finished steps
  bool finished(StepId id) const;

 private:
  enum class State { Waiting, Ready, Running, Finished };
  struct Node {
    PlannedStep step;
    std::vector<StepId> dependents;
    std::size_t missing = 0;   ///< inputs that have not succeeded yet
    State state = State::Waiting;
    StepOutcome outcome;
    double path = 0;           ///< cost of the longest way from here to the end, this step included
  };
  const Node& node(StepId id) const;
  Node& node(StepId id);
  void end(Node& node, StepOutcome outcome);
  void make_ready(StepId id);
  void rank();
  bool starts_later(StepId a, StepId b) const;
  std::vector<StepId> end_dependents(StepId id);

  std::vector<Node> nodes_;
  std::vector<StepId> ready_;   ///< heap by (path, id)
  std::size_t running_ = 0, finished_ = 0;
  bool ranked_ = false;         ///< paths and heap are up to date
};

}  // namespace slipway
