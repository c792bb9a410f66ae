#pragma once
// A ProgressSink that keeps every event.
#include <algorithm>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "base/progress.h"
#include "base/synchronized.h"

namespace slipway::testing_support {

class RecordingProgress final : public ProgressSink {
 public:
  void on_event(const Event& event) noexcept override {
    events_.lock()->push_back(event);
    if (react) react(event);
  }
  std::function<void(const Event&)> react;  ///< not to be changed while something runs

  /// All events of one kind, in order.
  template <class What>
  std::vector<What> all() {
    std::vector<What> found;
    for (const Event& event : *events_.lock())
      if (const What* what = std::get_if<What>(&event.what)) found.push_back(*what);
    return found;
  }
  /// The names of the steps that ended like this, in the order in which they were planned.
  std::vector<std::string> ended(StepEnd end) {
    std::vector<std::string> names;
    const std::vector<StepFinished> finished = all<StepFinished>();
    for (const StepPlanned& step : all<StepPlanned>())
      if (std::ranges::any_of(finished,
                              [&](const StepFinished& f) { return f.id == step.id && f.end == end; }))
        names.push_back(step.name);
    return names;
  }
  void clear() { events_.lock()->clear(); }

 private:
  Synchronized<std::vector<Event>> events_;
};

}  // namespace slipway::testing_support
