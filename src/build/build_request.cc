// The way of a build. Each phase is one call; what it does is in the module that it names.
#include "build/build_request.h"

#include <algorithm>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "build/build_hider.h"
#include "build/build_inputs.h"
#include "build/build_provenance.h"
#include "build/build_run.h"
#include "build/cache_export.h"
#include "build/cache_import.h"
#include "build/frontend.h"
#include "build/layout_export.h"
#include "build/local_export.h"
#include "build/prepared_request.h"
#include "build/publish.h"
#include "build/recorded_keys.h"
#include "graph/root_image.h"
#include "history/recorder.h"
#include "nodes/image_source.h"
#include "nodes/local_contexts.h"
#include "nodes/local_node.h"
#include "runtime/free_memory.h"

namespace slipway {

namespace {

/// False after a push of layers that were in caches only: such an image is in the registry alone.
bool has_all_layers(Store& store, const std::vector<AssembledImage>& images) {
  return std::ranges::all_of(images, [&](const AssembledImage& image) {
    return std::ranges::all_of(image.layers,
                               [&](const Descriptor& layer) { return store.blobs().has(layer.digest); });
  });
}

/// Of all outputs that are images or hold some, each once.
std::vector<ImageRef> all_names(const BuildRequest& request, const PreparedRequest& prepared) {
  std::vector<ImageRef> names = request.tags;
  for (const OutputSpec& output : prepared.outputs)
    for (const ImageRef& name : output.names)
      if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  return names;
}

/// What a build's results go through on their way out. Borrows.
struct Outlets {
  Store& store;
  Publisher& publisher;
  BuildProvenance& provenance;
  CacheExports& caches;
};

/// Every output, then the names: nothing has a name before all of it is there.
Descriptor publish(const BuildRequest& request, const PreparedRequest& prepared, const Outlets& to,
                   const std::vector<LaneEnd>& lanes, std::stop_token stop) {
  std::vector<AssembledImage> images;
  for (const LaneEnd& lane : lanes) images.push_back(*lane.image);
  to.provenance.finish();
  const std::vector<Descriptor> attestations =
      has_image(prepared) ? to.provenance.attestations(to.store, lanes, all_names(request, prepared))
                          : std::vector<Descriptor>{};
  const Descriptor image = assemble_index(to.store, images, /*always_index=*/false, attestations);
  for (const OutputSpec& output : prepared.outputs) {
    switch (output.type) {
      case OutputSpec::Type::Oci:
        if (output.tar) {
          export_layout_tar(to.store, image, output.names, output.dest, stop);
        } else {
          export_layout_directory(to.store, image, output.names, output.dest, stop);
        }
        break;
      case OutputSpec::Type::Local:
        export_trees(to.store, images, output.dest, stop);
        to.provenance.write_files(to.store, lanes, output.dest, stop);
        break;
      case OutputSpec::Type::Image:
      case OutputSpec::Type::CacheOnly:
        break;  // images below, once all files are written
    }
  }
  if (const auto names = pushed_names(prepared); !names.empty()) {
    for (const Descriptor& attestation : attestations)
      to.publisher.upload_image(attestation, names, {}, stop);
    to.publisher.move_tags(image, names, stop);
  }
  if (const auto names = image_names(prepared); !names.empty() && has_all_layers(to.store, images))
    to.store.images().set(names, image);
  return image;
}

/// After a cancellation, too: what ends that is a second signal.
void save_to_caches(CacheExports& exports, BuildRun& run, bool succeeded, ProgressSink& progress,
                    const std::stop_token& stop) {
  if (exports.empty()) return;
  if (stop.stop_requested())
    progress.emit(Warned{.message = "saving the finished steps to the caches; interrupt again to end at once",
                         .rule = {},
                         .description = {},
                         .where = {}});
  const auto after = succeeded ? CacheExports::After::Success : CacheExports::After::Failure;
  exports.run(run.finished_steps(), after, stop.stop_requested() ? std::stop_token{} : stop);
}

/// What came of it, for people and programs.
BuildResult summarise(const BuildRequest& request, const PreparedRequest& prepared,
                      const std::optional<Descriptor>& published, const dockerfile::Lowered& lowered,
                      BuildRun& run, BuildProvenance& provenance) {
  BuildResult result{.image = published, .names = all_names(request, prepared)};
  if (!published) provenance.finish();
  const std::vector<LaneEnd> ends = run.lane_ends();
  for (std::size_t i = 0; i < ends.size(); ++i) {
    PlatformSummary& summary = result.platforms.emplace_back(PlatformSummary{
        .platform = lowered.lanes[i].platform,
        .manifest = {},
        .mode = ends[i].mode,
        .isolation = ends[i].isolation,
        .twins = ends[i].twins,
        .emulation = ends[i].emulation,
        .provenance = provenance.for_metadata(i, ends[i]),
        .seconds = ends[i].seconds,
    });
    if (!ends[i].image) continue;
    summary.manifest = ends[i].image->manifest;
    summary.size = ends[i].image->size();
  }
  if (ends.size() == 1 && ends.front().image) result.config = ends.front().image->config.digest;
  return result;
}

/// Platforms are assembled and uploaded beside the steps.
SchedulerOptions scheduler_options(const BuildRequest& request) {
  SchedulerOptions options{.keep_going = request.keep_going, .memory = available_memory};
  if (request.max_parallel > 0) options.pool_slots = {request.max_parallel};
  return options;
}

StepLimits limits_of(const BuildRequest& request) {
  StepLimits limits = request.limits;
  limits.shm = static_cast<std::uint64_t>(request.shm_size);
  return limits;
}

LocalNodeOptions node_options(const BuildRequest& request, const BuildEnvironment& env, BuildInputs& inputs,
                              CacheImports& imports, const Graph& graph) {
  return {.host = Platform::host(),
          .emulation = request.emulation,
          .emulators = env.emulators,
          .secrets = request.secrets,
          .ssh = request.ssh,
          .limits = limits_of(request),
          .timeouts = request.timeouts,
          .no_new_privileges = request.no_new_privileges,
          .twins = {.packs = request.accel_packs,
                    .directory = env.store.root() / "emulators" / "accelerated",
                    .base_image =
                        [&graph](const Digest& vertex) {
                          const Vertex* image = root_image(graph, vertex);
                          return image ? &std::get<SourceOp>(image->op.what) : nullptr;
                        }},
          .fill_cache_mount = imports.mount_fill(),
          .remote = &inputs.remote()};
}

/// `published` is set once everything is out.
RunHooks run_hooks(const BuildRequest& request, const PreparedRequest& prepared, BuildEnvironment& env,
                   const Outlets& to, Hider hider, std::optional<Descriptor>& published) {
  RunHooks hooks{.on_image = {},
                 .publish =
                     [&](const std::vector<LaneEnd>& lanes, std::stop_token stopping) {
                       published = publish(request, prepared, to, lanes, stopping);
                     },
                 .publish_name = publish_name(prepared),
                 .needs = needs_of(prepared),
                 .has_image = has_output(prepared),
                 .inline_cache = wants_inline_cache(request),
                 .hider = std::move(hider),
                 .keep_going = request.keep_going};
  if (const auto names = pushed_names(prepared); !names.empty()) {
    hooks.on_image = [&, names](const AssembledImage& image, const std::string& step,
                                std::stop_token stopping) {
      const auto progress = [&](const std::string& item, std::uint64_t current, std::uint64_t total) {
        env.progress.emit(BytesMoved{
            .id = step, .item = item, .current = current, .total = total, .done = current == total});
      };
      to.publisher.upload_image(image.manifest, names, progress, stopping);
    };
  }
  if (!to.caches.empty())
    hooks.on_result = [&](FinishedStep step) { to.caches.hand_over(std::move(step)); };
  return hooks;
}

}  // namespace

BuildResult run_build(const BuildRequest& request, BuildEnvironment& env, std::stop_token stop) {
  const std::string started = time_now();

  // What is asked: defaults decided, contradictions refused before anything happens.
  PreparedRequest prepared = prepare(request);

  // Contexts: found on this machine or fetched from others, with the Dockerfile among them.
  BuildInputs inputs(request, env.store, env.registry, env.progress);
  inputs.load(stop);

  // Frontend: the Dockerfile (or the definition) becomes one graph for all platforms. Base images are
  // resolved, not yet fetched.
  const dockerfile::Lowered lowered = lower_request(request, inputs, env.progress, stop);
  if (!prepared.assemble.epoch) use_epoch_of_dockerfile(prepared, lowered.epoch);
  check_entitlements(lowered.graph, request.allowed, DeviceRegistry(DeviceRegistry::standard_directories()));

  // Cache keys: known for every step before any runs: contexts are digested, remote sources asked now.
  LocalContexts contexts(&env.store.file_digests());
  inputs.contexts().add_to(contexts);
  std::map<Digest, Digest> keys = keys_on_record(lowered, contexts, inputs.remote(), env.recorder, stop);

  // Caches outside the store: their documents are read now, their layers when something needs them.
  CacheImports imports(request.no_cache ? std::vector<CacheSource>{} : request.cache_from,
                       platforms_of(lowered), env.store, env.registry, env.progress);
  imports.load(stop);

  // Solve: steps with results are left out; the rest run where they can, then each platform is assembled and,
  // if it is to be pushed, uploaded while others still build; publishing comes last and at once. Beside that
  // the steps that are done go to the caches that are saved to.
  LocalNode node(env.store, env.sandbox, inputs.images(), contexts,
                 node_options(request, env, inputs, imports, lowered.graph), env.progress);
  CacheExports exports(request.cache_to, {.store = env.store,
                                          .registry = env.registry,
                                          .images = inputs.images(),
                                          .imports = imports,
                                          .progress = env.progress,
                                          .layers = prepared.assemble.layers,
                                          .graph = lowered.graph,
                                          .pushed = pushed_names(prepared)});
  Publisher publisher(env.store, env.registry, inputs.images(), &imports, &exports);
  BuildProvenance provenance(request, lowered, inputs, env.recorder ? env.recorder->id() : new_build_id(),
                             started);
  const Outlets outlets{.store = env.store, .publisher = publisher, .provenance = provenance,
                        .caches = exports};
  std::optional<Descriptor> published;
  BuildRun run(lowered, std::move(keys), env.store, node, env.progress, prepared.assemble,
               run_hooks(request, prepared, env, outlets, hider_of(request, lowered), published), &imports);
  Plan plan = run.make_plan();
  exports.announce();
  run_plan(std::move(plan), run, env.executor, scheduler_options(request), stop);
  run.record_costs();
  node.tell_unused_packs();
  env.store.file_digests().flush();

  // What is finished, and not saved yet, is saved for the next build, whatever became of this one.
  const bool succeeded = has_output(prepared) ? published.has_value() : run.has_all_results();
  save_to_caches(exports, run, succeeded, env.progress, stop);
  run.throw_first_failure(env.log_tail);
  if (!succeeded) throw Cancelled{};

  return summarise(request, prepared, published, lowered, run, provenance);
}

}  // namespace slipway
