#pragma once
// A StepRunner that does what a test scripted, and remembers what was asked of it. A step without a script succeeds.
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/synchronized.h"
#include "scheduler/scheduler.h"

namespace slipway {

inline std::string outcome_name(const StepOutcome& outcome) {
  static constexpr const char* kNames[] = {"succeeded", "failed", "skipped", "cancelled"};
  return kNames[outcome.index()];
}

class FakeStepRunner final : public StepRunner {
 public:
  using Script = std::function<void(std::stop_token)>;
  void script(StepId step, Script script) { scripts_[step] = std::move(script); }

  StepRun run(StepId step, std::stop_token stop) override {
    started_.lock()->push_back(step);
    if (const auto it = scripts_.find(step); it != scripts_.end()) it->second(stop);
    return StepRun::Done;
  }
  void on_finished(StepId step, const StepOutcome& outcome) noexcept override {
    finished_.lock()->emplace_back(step, outcome_name(outcome));
  }

  std::vector<StepId> started() { return *started_.lock(); }
  std::vector<std::pair<StepId, std::string>> finished() { return *finished_.lock(); }

 private:
  std::map<StepId, Script> scripts_;   // not changed while a plan runs
  Synchronized<std::vector<StepId>> started_;
  Synchronized<std::vector<std::pair<StepId, std::string>>> finished_;
};

}  // namespace slipway
