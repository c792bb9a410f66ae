#include "nodes/action_trees.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "base/strings.h"

namespace slipway {

namespace {

int base_of(const FileAction& action) {
  return std::visit([](const auto& any) { return any.base; }, action);
}

int from_of(const FileAction& action) {
  const CopyAction* copy = std::get_if<CopyAction>(&action);
  return copy ? copy->from : kNoInput;
}

}  // namespace

ActionTrees::ActionTrees(Store& store, const FileOp& op, const std::vector<VertexResult>& inputs,
                         SourceTrees& sources)
    : store_(store), op_(op), inputs_(inputs), sources_(sources) {}

ActionTrees::~ActionTrees() {
  lines_.clear();
  try {
    const std::vector<SnapshotId> kept =
        result_ ? store_.snapshots().chain(*result_) : std::vector<SnapshotId>();
    // The last first: one may stand on another.
    for (auto at = frozen_.rbegin(); at != frozen_.rend(); ++at) {
      at->second.tree.reset();
      at->second.view.reset();
      if (std::ranges::find(kept, at->second.snapshot) == kept.end())
        store_.snapshots().remove(at->second.snapshot);
    }
  } catch (const Error& error) {
    store_.logger().log(LogLevel::Warning,
                        concat("a snapshot that is no longer needed stays in the store: ", error.what()));
  }
}

/// The earlier action that an input stands for; nothing for an input of the operation.
std::optional<std::size_t> ActionTrees::earlier(int input) const {
  if (input < 0 || static_cast<std::size_t>(input) < inputs_.size()) return std::nullopt;
  const std::size_t action = static_cast<std::size_t>(input) - inputs_.size();
  if (action >= current_)
    throw InvalidInput(concat("action ", current_, " of a file operation uses the result of action ", action,
                              ", which is not before it"));
  return action;
}

std::list<ActionTrees::Line>::iterator ActionTrees::line_of(std::size_t action) {
  return std::ranges::find(lines_, action, &Line::last);
}

bool ActionTrees::is_used_later(std::size_t action, std::size_t than) const {
  const int input = static_cast<int>(inputs_.size() + action);
  return std::any_of(
      op_.actions.begin() + static_cast<std::ptrdiff_t>(than) + 1, op_.actions.end(),
      [&](const FileAction& later) { return base_of(later) == input || from_of(later) == input; });
}

SnapshotId ActionTrees::commit_line(std::list<Line>::iterator line) {
  line->tree.reset();
  const SnapshotId id = store_.snapshots().commit(std::move(line->active), now_seconds());
  lines_.erase(line);
  return id;
}

void ActionTrees::freeze(std::size_t action) {
  if (frozen_.contains(action)) return;
  const auto line = line_of(action);
  SLIPWAY_CHECK(line != lines_.end(), "a result that is used again was kept");
  frozen_.emplace(action, Frozen{.snapshot = commit_line(line), .view = {}, .tree = {}});
}

const RootedDir& ActionTrees::target(std::size_t index) {
  current_ = index;
  const FileAction& action = op_.actions.at(index);
  const auto base = earlier(base_of(action));
  if (base && !is_used_later(*base, index) && from_of(action) != base_of(action)) {
    if (const auto line = line_of(*base); line != lines_.end()) {
      line->last = index;
      return *line->tree;
    }
  }
  if (base) freeze(*base);
  const std::optional<SnapshotId> parent =
      base ? frozen_.at(*base).snapshot : snapshot_of(base_of(action), inputs_);
  Line& line = lines_.emplace_back(
      Line{.active = store_.snapshots().prepare(parent), .tree = std::nullopt, .last = index});
  line.tree.emplace(line.active.root());
  return *line.tree;
}

SourceTree ActionTrees::source(int from) {
  const auto action = earlier(from);
  if (!action) return sources_.open(from);
  if (const auto line = line_of(*action); line != lines_.end()) return {.tree = &*line->tree};
  Frozen& frozen = frozen_.at(*action);
  if (!frozen.view) {
    frozen.view.emplace(store_.snapshots().view(frozen.snapshot));
    frozen.tree.emplace(frozen.view->path());
  }
  return {.tree = &*frozen.tree};
}

std::list<ActionTrees::Line>::iterator ActionTrees::last_line() {
  const auto line = line_of(op_.actions.size() - 1);
  SLIPWAY_CHECK(line != lines_.end(), "the last action's tree is nobody's base");
  return line;
}

void ActionTrees::set_note(std::string bytes) { last_line()->active.set_note(std::move(bytes)); }

SnapshotId ActionTrees::commit() {
  result_ = commit_line(last_line());
  return *result_;
}

}  // namespace slipway
