#pragma once
// One build in motion: the graph's steps, one export step a platform and the publishing step, as a plan that
// a scheduler drives. Steps whose result is known are never planned, nor what only they need.
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/synchronized.h"
#include "build/assemble.h"
#include "dockerfile/lower.h"
#include "nodes/local_node.h"
#include "scheduler/scheduler.h"

namespace slipway {

/// What follows a platform's build, and the end of them all.
struct RunHooks {
  /// Once a platform's image is assembled (uploads); called on the export step's thread.
  std::function<void(const AssembledImage& image, const std::string& step_id, std::stop_token stop)> on_image;
  /// Once every platform is done: index, exports, tags.
  std::function<void(const std::vector<AssembledImage>& images, std::stop_token stop)> publish;
  std::string publish_name = "exporting to image";
};

class BuildRun final : public StepRunner {
 public:
  BuildRun(const dockerfile::Lowered& lowered, std::map<Digest, Digest> keys, Store& store, LocalNode& node,
           ProgressSink& progress, AssembleOptions assemble, RunHooks hooks);

  /// Looks up which steps have results, announces every step, and returns the plan of what must run. Throws
  /// HostError if a step that must run needs an emulator that is not there.
  Plan make_plan();

  void run(StepId step, std::stop_token stop) override;
  void on_finished(StepId step, const StepOutcome& outcome) noexcept override;

  /// After the plan ended: rethrows the first failure as the error that people see; returns if there was
  /// none.
  void throw_first_failure(const std::function<std::vector<std::string>(const std::string&)>& log_tail);

  struct LaneEnd {
    AssembledImage image;
    std::string mode, isolation;
    std::vector<TwinUse> twins;  ///< of all its steps that ran, by program
    double seconds = 0;
  };
  /// One a lane, in order; only after a run without failure.
  std::vector<LaneEnd> lane_ends();

 private:
  struct Step {
    std::string id;
    std::string name;
    const Vertex* vertex = nullptr;   ///< of graph steps
    std::optional<std::size_t> lane;  ///< of export steps; neither: publish
  };
  struct Failure {
    std::size_t step = 0;
    std::exception_ptr error;
    std::string message;
  };
  struct State {
    std::map<Digest, VertexResult> results;
    std::vector<std::optional<LaneEnd>> lanes;
    std::vector<Failure> failures;  ///< in the order they happened
  };

  std::set<Digest> find_cached(const std::vector<Digest>& wanted);
  std::optional<VertexResult> find_result(const Vertex& vertex);
  void announce(const std::string& id, const std::string& name, const std::vector<Platform>& lanes,
                const std::vector<Input>& inputs);
  StepId plan_vertex(Plan& plan, const Vertex& vertex, const std::map<Digest, StepId>& planned);
  void run_vertex(const Step& step, std::stop_token stop);
  void run_export(const Step& step, std::stop_token stop);
  void run_publish(std::stop_token stop);
  void tell_execution(std::size_t lane, LaneEnd& end);
  [[noreturn]] void rethrow(const Failure& failure, const std::vector<std::string>& tail,
                            const std::vector<std::string>& others) const;

  const dockerfile::Lowered& lowered_;
  const std::map<Digest, Digest> keys_;
  Store& store_;
  LocalNode& node_;
  ProgressSink& progress_;
  const AssembleOptions assemble_;
  const RunHooks hooks_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::vector<Step> steps_;    ///< by StepId; fixed once planned
  std::set<Digest> executed_;  ///< vertices that the plan runs; fixed once planned
  Synchronized<State> state_;
};

}  // namespace slipway
