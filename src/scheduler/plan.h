#pragma once
// Which step may run next: a pure, single-threaded state machine without clock, threads or TBB.
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <limits>
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
  std::size_t pool = 0;        ///< whose slots it takes: a node's, by number
  std::uint64_t memory = 0;    ///< bytes that it is known to need; 0: unknown or next to nothing
};

/// What steps share while they run.
struct PlanLimits {
  std::vector<std::size_t> slots;   ///< steps at once, by pool; 0 counts as 1; a pool beyond: any number
  std::uint64_t memory = std::numeric_limits<std::uint64_t>::max();   ///< for all that run at once
};

/// Ready steps come in the order (longest path to the end first, then id), so runs are reproducible. One for whose
/// memory there is no room holds back those after it that need memory as well, so that none waits for ever; if
/// nothing else that needs memory runs, it starts however much it needs.
class Plan {
 public:
  /// Counts for what starts from now on.
  void set_limits(PlanLimits limits);
  /// May be called at any time. A step whose input already ended badly is finished at once (see finish()). A bug, and
  /// so an abort: an input that was not added before, a negative cost.
  StepId add(PlannedStep step);
  /// At most `slots` steps that may start now; they count as running.
  std::vector<StepId> take_ready(std::size_t slots = static_cast<std::size_t>(-1));
  /// Records the outcome of a running step; if it failed, all that depend on it become Skipped, and those are returned.
  /// What depends on a cancelled step becomes StepCancelled in the same way.
  std::vector<StepId> finish(StepId id, StepOutcome outcome);
  /// A running step gives its slot and its memory back until resume(); it may also finish without that.
  void postpone(StepId id);
  /// A postponed step is ready again.
  void resume(StepId id);
  /// Every step that has not started becomes StepCancelled; returns them.
  std::vector<StepId> cancel_waiting();
  bool done() const;           ///< no step waits or runs
  std::size_t size() const;
  std::size_t running() const;   ///< without those that are postponed
  /// A step that is known to need memory could start, and none runs: the moment to ask how much there is.
  bool memory_matters() const;
  const PlannedStep& step(StepId id) const;
  const StepOutcome& outcome(StepId id) const;   ///< only of finished steps
  bool finished(StepId id) const;

 private:
  enum class State { Waiting, Ready, Running, Postponed, Finished };
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
  void leave(const Node& node);

  /// The steps of one node, and what they need.
  struct Pool {
    std::array<std::vector<StepId>, 2> ready;   ///< heaps by (path, id); [1]: of those that need memory
    std::size_t running = 0;
  };
  bool has_slot(std::size_t pool) const;
  std::vector<StepId>* next_heap(bool memory_is_short);

  std::vector<Node> nodes_;
  std::vector<Pool> pools_;
  PlanLimits limits_;
  std::size_t running_ = 0, finished_ = 0;
  std::uint64_t running_memory_ = 0;
  bool ranked_ = false;         ///< paths and heaps are up to date
};

}  // namespace slipway
