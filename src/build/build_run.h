#pragma once
// One build in motion: the graph's steps, one export step a platform and the publishing step, as a plan that
// a scheduler drives. Steps whose result is known are never planned, nor what only they need; of those that
// are, some turn out to have a result once their inputs are there (vertex_solver.h).
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/synchronized.h"
#include "build/assemble.h"
#include "build/cache_import.h"
#include "build/finished_step.h"
#include "build/step_estimates.h"
#include "build/vertex_solver.h"
#include "dockerfile/lower.h"
#include "history/hider.h"
#include "nodes/local_node.h"
#include "scheduler/scheduler.h"

namespace slipway {

/// What came of a platform.
struct LaneEnd {
  std::optional<AssembledImage> image;  ///< absent without RunHooks::has_image
  std::string mode, isolation;
  std::vector<TwinUse> twins;  ///< of all its steps that ran, by program
  EmulationMarks emulation = {};  ///< of its result, whenever its steps ran
  double seconds = 0;
};

/// What follows a platform's build, and the end of them all.
struct RunHooks {
  /// Once a platform's image is assembled (uploads); called on the export step's thread.
  std::function<void(const AssembledImage& image, const std::string& step_id, std::stop_token stop)> on_image;
  /// Once every platform is done: index, exports, tags.
  std::function<void(const std::vector<LaneEnd>& lanes, std::stop_token stop)> publish;
  std::string publish_name = "exporting to image";
  /// What results must be before on_image(): those known in caches only are fetched for it.
  enum class Needs { Nothing, Blobs, Trees } needs = Needs::Nothing;
  bool has_image = true;      ///< false: no platform is assembled, nothing is published
  bool inline_cache = false;  ///< each image's config gets the keys of its own layers
  /// Once a step's result is known, on any thread; for steps of the graph only. Empty: nobody is told.
  std::function<void(FinishedStep step)> on_result = {};
  Hider hider = {};           ///< of what is kept in the store and in caches as a step's description
  bool keep_going = false;    ///< a platform that cannot be run here fails by itself
};

class BuildRun final : public StepRunner {
 public:
  BuildRun(const dockerfile::Lowered& lowered, std::map<Digest, Digest> keys, Store& store, LocalNode& node,
           ProgressSink& progress, AssembleOptions assemble, RunHooks hooks, CacheImports* imports = nullptr);

  /// Looks up which steps have results, announces every step, and returns the plan of what must run. Throws
  /// HostError if a step that must run needs an emulator that is not there, unless the others go on.
  Plan make_plan();
  /// Only the looking up, by definition and, as far as what they read is in the store, by content: the
  /// vertices that have no result and that something needs.
  std::set<Digest> steps_to_run(const std::stop_token& stop);
  /// By vertex, after it: how those have results that have none here by their definition: the cache's name, or
  /// kHitByContent.
  std::map<Digest, std::string> how_found();
  /// Why a result that the vertex has was not taken; empty: it has none. After either.
  std::string passed_over(const Digest& vertex) { return solver_.passed_over(lowered_.graph.at(vertex)); }

  StepRun run(StepId step, std::stop_token stop) override;
  void wait(StepId step, std::stop_token stop) override;
  void on_finished(StepId step, const StepOutcome& outcome) noexcept override;

  /// After the plan ended: what its steps cost is known to later builds.
  void record_costs() { estimates_.record(); }
  /// After the plan ended: rethrows the first failure as the error that people see; returns if there was
  /// none.
  void throw_first_failure(const std::function<std::vector<std::string>(const std::string&)>& log_tail);

  /// One a lane, in order; only after a run without failure.
  std::vector<LaneEnd> lane_ends();
  /// Every lane's result is known; after the plan ended.
  bool has_all_results();

  /// The steps whose results are known, whatever became of the others; after the plan ended.
  std::vector<FinishedStep> finished_steps();

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
    std::vector<Failure> failures;                        ///< in the order they happened
    std::map<Digest, double> seconds;                     ///< that steps took
    std::map<Digest, std::shared_ptr<std::mutex>> turns;  ///< of at_hand(), by vertex
    std::set<Digest> waiting;                             ///< vertices that had to wait for another build
    std::set<Digest> executed;                            ///< vertices that ran
    std::map<Digest, std::string> found;  ///< how others came to their results that the plan has
  };

  /// The vertices that the results need, inputs first.
  std::vector<Digest> wanted() const;
  std::optional<VertexResult> find_result(const Vertex& vertex);
  std::set<Digest> find_cached(const std::vector<Digest>& wanted);
  bool find_by_content(const Vertex& vertex, const std::stop_token& stop);
  void announce(const std::string& id, const std::string& name, const std::vector<Platform>& lanes,
                const std::vector<Input>& inputs);
  void plan_images(Plan& plan, const std::map<Digest, StepId>& planned);
  double slowdown_of(const Platform& platform);
  StepId plan_vertex(Plan& plan, const Vertex& vertex, const std::map<Digest, StepId>& planned);
  StepRun run_vertex(const Step& step, std::stop_token stop);
  std::optional<VertexResult> solve(const Step& step, const std::vector<VertexResult>& inputs,
                                    const std::stop_token& stop);
  void tell_start(const Step& step);
  void run_export(const Step& step, std::stop_token stop);
  void run_publish(std::stop_token stop);
  void end_lane(std::size_t lane, std::optional<AssembledImage> image);
  void tell_execution(std::size_t lane, LaneEnd& end);
  // build_run_caches.cc:
  VertexResult at_hand(const Digest& vertex, const std::stop_token& stop);
  ItemProgress progress_of(const std::string& id) const;
  std::optional<SnapshotId> unpack_remote(const Vertex& vertex, const VertexResult& known,
                                          const std::stop_token& stop);
  VertexResult run_after_all(const Vertex& vertex, const std::stop_token& stop);
  AssembledImage assemble_lane(const Step& step, const dockerfile::LoweredLane& lane, std::stop_token stop);
  std::optional<Digest> tree_of(const VertexResult& result);
  std::optional<Digest> content_of(const Vertex& vertex, const VertexResult& result);
  FinishedStep finished_step(const Vertex& vertex, const VertexResult& result);
  void tell_result(const Vertex& vertex, const VertexResult& result) noexcept;
  std::string inline_cache_of(const dockerfile::LoweredLane& lane, const VertexResult& result);
  std::set<Digest> steps_of_image(const dockerfile::LoweredLane& lane) const;
  [[noreturn]] void rethrow(const Failure& failure, const std::vector<std::string>& tail,
                            const std::vector<std::string>& others) const;

  const dockerfile::Lowered& lowered_;
  VertexSolver solver_;
  const std::map<Digest, Digest>& keys_;  ///< the solver's
  StepEstimates estimates_;
  Store& store_;
  LocalNode& node_;
  ProgressSink& progress_;
  const AssembleOptions assemble_;
  const RunHooks hooks_;
  CacheImports* const imports_;  ///< null: none
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::vector<Step> steps_;     ///< by StepId; fixed once planned
  std::set<Digest> in_images_;  ///< the vertices of images' own layers; fixed once planned
  Synchronized<State> state_;
};

}  // namespace slipway
