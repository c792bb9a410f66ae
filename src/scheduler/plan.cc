#include "scheduler/plan.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.h"

namespace slipway {

namespace {

// What a step becomes when an input ended with `input`: nothing can run without its inputs.
StepOutcome ending_without(const StepOutcome& input) {
  if (std::holds_alternative<StepCancelled>(input)) return StepCancelled{};
  return Skipped{};
}

}  // namespace

StepId Plan::add(PlannedStep step) {
  SLIPWAY_CHECK(step.cost >= 0, "a step's cost is a time");
  const StepId id{nodes_.size()};
  if (pools_.size() <= step.pool) pools_.resize(step.pool + 1);
  Node added{.step = std::move(step)};
  const StepOutcome* lost = nullptr;
  for (const StepId input : added.step.after) {
    SLIPWAY_CHECK(input < id, "a step may only come after steps added before it, so that there is no cycle");
    Node& before = nodes_[input.value];
    if (before.state != State::Finished) {
      before.dependents.push_back(id);
      ++added.missing;
    } else if (!std::holds_alternative<Succeeded>(before.outcome) && !lost) {
      lost = &before.outcome;
    }
  }
  const bool can_start = added.missing == 0;
  std::optional<StepOutcome> ending;
  if (lost) ending = ending_without(*lost);
  nodes_.push_back(std::move(added));
  ranked_ = false;
  if (ending) {
    end(nodes_.back(), std::move(*ending));
  } else if (can_start) {
    make_ready(id);
  }
  return id;
}

void Plan::set_limits(PlanLimits limits) { limits_ = std::move(limits); }

bool Plan::has_slot(std::size_t pool) const {
  return pool >= limits_.slots.size() || pools_[pool].running < std::max<std::size_t>(limits_.slots[pool], 1);
}

// The heap whose first step starts next; null if none may.
std::vector<StepId>* Plan::next_heap(bool memory_is_short) {
  std::vector<StepId>* best = nullptr;
  for (std::size_t pool = 0; pool < pools_.size(); ++pool) {
    if (!has_slot(pool)) continue;
    for (const bool needs_memory : {false, true}) {
      std::vector<StepId>& heap = pools_[pool].ready[needs_memory];
      if (heap.empty() || (needs_memory && memory_is_short)) continue;
      if (!best || starts_later(best->front(), heap.front())) best = &heap;
    }
  }
  return best;
}

std::vector<StepId> Plan::take_ready(std::size_t slots) {
  if (!ranked_) rank();
  const auto later = [this](StepId a, StepId b) { return starts_later(a, b); };
  std::vector<StepId> taken;
  bool memory_is_short = false;
  while (taken.size() < slots) {
    std::vector<StepId>* heap = next_heap(memory_is_short);
    if (!heap) break;
    Node& first = node(heap->front());
    const std::uint64_t memory = first.step.memory;
    const bool fits = running_memory_ <= limits_.memory && memory <= limits_.memory - running_memory_;
    if (memory > 0 && running_memory_ > 0 && !fits) {
      memory_is_short = true;
      continue;
    }
    taken.push_back(heap->front());
    std::ranges::pop_heap(*heap, later);
    heap->pop_back();
    first.state = State::Running;
    ++running_;
    ++pools_[first.step.pool].running;
    running_memory_ += memory;
  }
  return taken;
}

void Plan::leave(const Node& node) {
  --running_;
  --pools_[node.step.pool].running;
  running_memory_ -= node.step.memory;
}

void Plan::postpone(StepId id) {
  Node& postponed = node(id);
  SLIPWAY_CHECK(postponed.state == State::Running, "only a running step can be postponed");
  leave(postponed);
  postponed.state = State::Postponed;
}

void Plan::resume(StepId id) {
  SLIPWAY_CHECK(node(id).state == State::Postponed, "only a postponed step can be resumed");
  make_ready(id);
}

std::vector<StepId> Plan::finish(StepId id, StepOutcome outcome) {
  Node& finished = node(id);
  SLIPWAY_CHECK(finished.state == State::Running || finished.state == State::Postponed,
                "only a running step can finish, and only once");
  if (finished.state == State::Running) leave(finished);
  end(finished, std::move(outcome));
  if (!std::holds_alternative<Succeeded>(finished.outcome)) return end_dependents(id);
  for (const StepId next : finished.dependents) {
    Node& dependent = node(next);
    // It may have ended early, with another of its inputs.
    if (--dependent.missing == 0 && dependent.state == State::Waiting) make_ready(next);
  }
  return {};
}

std::vector<StepId> Plan::cancel_waiting() {
  std::vector<StepId> cancelled;
  if (running_ + finished_ == nodes_.size()) return cancelled;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].state != State::Waiting && nodes_[i].state != State::Ready) continue;
    end(nodes_[i], StepCancelled{});
    cancelled.push_back(StepId{i});
  }
  for (Pool& pool : pools_)
    for (std::vector<StepId>& heap : pool.ready) heap.clear();
  return cancelled;
}

bool Plan::done() const { return finished_ == nodes_.size(); }
std::size_t Plan::size() const { return nodes_.size(); }
std::size_t Plan::running() const { return running_; }

bool Plan::memory_matters() const {
  return running_memory_ == 0 && std::ranges::any_of(pools_, [](const Pool& pool) { return !pool.ready[1].empty(); });
}

const PlannedStep& Plan::step(StepId id) const { return node(id).step; }
bool Plan::finished(StepId id) const { return node(id).state == State::Finished; }

const StepOutcome& Plan::outcome(StepId id) const {
  SLIPWAY_CHECK(finished(id), "a step has no outcome before its end");
  return node(id).outcome;
}

const Plan::Node& Plan::node(StepId id) const {
  SLIPWAY_CHECK(id.value < nodes_.size(), "no such step in this plan");
  return nodes_[id.value];
}

Plan::Node& Plan::node(StepId id) { return const_cast<Node&>(std::as_const(*this).node(id)); }

void Plan::end(Node& ended, StepOutcome outcome) {
  ended.state = State::Finished;
  ended.outcome = std::move(outcome);
  ++finished_;
}

void Plan::make_ready(StepId id) {
  Node& ready = node(id);
  ready.state = State::Ready;
  std::vector<StepId>& heap = pools_[ready.step.pool].ready[ready.step.memory > 0];
  heap.push_back(id);
  if (ranked_) std::ranges::push_heap(heap, [this](StepId a, StepId b) { return starts_later(a, b); });
}

// Dependents always have higher ids, so one pass from the back sees each step after all that follow it.
void Plan::rank() {
  for (auto it = nodes_.rbegin(); it != nodes_.rend(); ++it) {
    double longest = 0;
    for (const StepId next : it->dependents) longest = std::max(longest, nodes_[next.value].path);
    it->path = it->step.cost + longest;
  }
  for (Pool& pool : pools_)
    for (std::vector<StepId>& heap : pool.ready)
      std::ranges::make_heap(heap, [this](StepId a, StepId b) { return starts_later(a, b); });
  ranked_ = true;
}

bool Plan::starts_later(StepId a, StepId b) const {
  const double path_a = nodes_[a.value].path;
  const double path_b = nodes_[b.value].path;
  return path_a != path_b ? path_a < path_b : a > b;
}

std::vector<StepId> Plan::end_dependents(StepId id) {
  const StepOutcome ending = ending_without(node(id).outcome);
  std::vector<StepId> ended;
  std::vector<StepId> pending{id};
  while (!pending.empty()) {
    const StepId next = pending.back();
    pending.pop_back();
    for (const StepId reached : node(next).dependents) {
      Node& dependent = node(reached);
      if (dependent.state != State::Waiting) continue;
      end(dependent, ending);
      ended.push_back(reached);
      pending.push_back(reached);
    }
  }
  std::ranges::sort(ended);
  return ended;
}

}  // namespace slipway
