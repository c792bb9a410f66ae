#include "build/build_plan.h"

#include <set>
#include <utility>

#include "base/check.h"
#include "base/synchronized.h"
#include "build/build_hider.h"
#include "build/build_inputs.h"
#include "build/build_run.h"
#include "build/cache_import.h"
#include "build/frontend.h"
#include "build/recorded_keys.h"
#include "history/step_records.h"
#include "nodes/local_contexts.h"
#include "nodes/local_node.h"

namespace slipway {

namespace {

/// Keeps in memory what a build's record would have on disk.
class PlanListener final : public KeyListener {
 public:
  explicit PlanListener(Hider hider) : hider_(std::move(hider)) {}

  void on_context_read(const Vertex& vertex, const std::string& context, const CopyAction& copy,
                       const SelectionList& list) noexcept override {
    ContextRead read = context_read(context, copy, list, hider_);
    auto state = state_.lock();
    state->manifests.emplace(read.manifest, parse_file_list(manifest_text(list.entries())));
    state->reads[vertex.digest.str()].push_back(std::move(read));
  }
  void on_keys(const KeyedGraph& keyed) noexcept override {
    auto state = state_.lock();
    steps = step_records(keyed, std::move(state->reads), hider_);
  }

  std::map<std::string, FileList> take_manifests() { return std::move(state_.lock()->manifests); }
  std::vector<StepRecord> steps;

 private:
  struct State {
    ContextReads reads;
    std::map<std::string, FileList> manifests;
  };
  Hider hider_;
  Synchronized<State> state_;
};

/// Of caches; what the Dockerfile's checks find is told by --check.
class Warnings final : public ProgressSink {
 public:
  void on_event(const Event& event) noexcept override {
    if (const Warned* warned = std::get_if<Warned>(&event.what)) told_.lock()->push_back(warned->message);
  }
  std::vector<std::string> take() { return std::move(*told_.lock()); }

 private:
  Synchronized<std::vector<std::string>> told_;
};

Sandbox& no_sandbox() {
  SLIPWAY_CHECK(false, "a plan runs nothing");
  std::abort();
}

}  // namespace

PlannedBuild plan_build(const BuildRequest& request, BuildRecord start, Store& store,
                        RegistryClient& registry, std::stop_token stop) {
  NullProgress progress;
  BuildInputs inputs(request, store, registry, progress, KeepDocuments::InMemory);
  inputs.load(stop);
  const dockerfile::Lowered lowered = lower_request(request, inputs, progress, stop);
  LocalContexts contexts(&store.file_digests());
  inputs.contexts().add_to(contexts);
  PlanListener listener(hider_of(request));
  std::map<Digest, Digest> keys = keys_on_record(lowered, contexts, inputs.remote(), &listener, stop);

  Warnings warnings;
  CacheImports imports(request.no_cache ? std::vector<CacheSource>{} : request.cache_from,
                       platforms_of(lowered), store, registry, warnings);
  imports.load(stop);

  LocalNode node(store, no_sandbox, inputs.images(), contexts,
                 {.emulation = request.emulation,
                  .twins = {.packs = request.accel_packs, .directory = {}, .base_image = {}},
                  .remote = &inputs.remote()},
                 progress);
  BuildRun run(lowered, std::move(keys), store, node, progress, {}, {}, &imports);
  const std::set<Digest> to_run = run.steps_to_run(stop);
  const std::map<Digest, std::string> how_found = run.how_found();
  PlannedBuild planned{.record = std::move(start), .manifests = listener.take_manifests()};
  planned.record.steps = std::move(listener.steps);
  planned.record.outcome = "planned";
  planned.warnings = warnings.take();
  for (StepRecord& step : planned.record.steps) {
    const Digest vertex = Digest::parse(step.id);
    if (to_run.contains(vertex)) {
      step.passed_over = run.passed_over(vertex);
      continue;
    }
    step.end = "cached";
    if (const auto found = how_found.find(vertex); found != how_found.end()) step.hit = found->second;
  }
  return planned;
}

}  // namespace slipway
