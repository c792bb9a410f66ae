#include "slipway/progress_view.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/strings.h"
#include "slipway/warning_text.h"

namespace slipway {

namespace {

StepState state_after(StepEnd end) {
  switch (end) {
    case StepEnd::Done:
      return StepState::Done;
    case StepEnd::Cached:
      return StepState::Cached;
    case StepEnd::Failed:
      return StepState::Failed;
    case StepEnd::Skipped:
      return StepState::Skipped;
    case StepEnd::Cancelled:
      return StepState::Cancelled;
  }
  return StepState::Failed;
}

}  // namespace

void ProgressView::apply(const Event& event) {
  now_ = event.when;
  if (!std::exchange(any_, true)) began_ = now_;
  std::visit([this](const auto& what) { on(what); }, event.what);
}

std::size_t ProgressView::count(StepState state) const {
  const auto it = counts_.find(state);
  return it == counts_.end() ? 0 : it->second;
}

StepView& ProgressView::step(const std::string& id) {
  const auto [it, added] = by_id_.try_emplace(id, steps_.size());
  if (added) {
    steps_.push_back({.name = expand_tabs(clean_line(id))});
    ++counts_[StepState::Waiting];
  }
  return steps_[it->second];
}

void ProgressView::set_state(StepView& step, StepState state) {
  --counts_[step.state];
  step.state = state;
  ++counts_[state];
}

void ProgressView::start(StepView& step) {
  if (step.state == StepState::Running) return;
  set_state(step, StepState::Running);
  if (!std::exchange(step.started, true)) step.began = now_;
}

void ProgressView::on(const StepPlanned& planned) {
  StepView& it = step(planned.id);
  it.name = expand_tabs(clean_line(planned.name));
  it.lane = clean_line(planned.lane);
}

void ProgressView::on(const StepStarted& started) {
  StepView& it = step(started.id);
  it.mode = started.mode;
  start(it);
}

void ProgressView::on(const StepAccelerated& accelerated) {
  step(accelerated.id).mode = ExecutionMode::Accelerated;
}

void ProgressView::on(const StepLog& log) {
  StepView& it = step(log.id);
  for (std::string& line : it.partial[log.stream == 2 ? 1 : 0].feed(log.bytes)) {
    it.log.push_back(expand_tabs(line));
    if (it.log.size() > log_lines_) it.log.pop_front();
  }
}

void ProgressView::on(const BytesMoved& moved) {
  StepView& it = step(moved.id);
  const std::string item = expand_tabs(clean_line(moved.item));
  auto found = std::ranges::find(it.transfers, item, &TransferView::item);
  if (found == it.transfers.end()) found = it.transfers.insert(found, {.item = item});
  found->current = moved.current;
  found->total = moved.total;
  found->done = moved.done;
}

void ProgressView::on(const StepFinished& finished) {
  StepView& it = step(finished.id);
  const bool never_ran = finished.end == StepEnd::Skipped || finished.end == StepEnd::Cancelled;
  if (!it.started && !never_ran) {
    it.started = true;
    it.began = now_;
  }
  set_state(it, state_after(finished.end));
  it.ended = now_;
  it.end_order = ended_++;
  it.transfers.clear();
  it.log.clear();
  it.partial = {};
}

void ProgressView::on(const Warned& warned) {
  std::string_view head = "WARNING: ";
  for (const std::string& line : clean_lines(warning_text(warned))) {
    warnings_.push_back(concat(head, expand_tabs(line)));
    head = "         ";
  }
}

}  // namespace slipway
