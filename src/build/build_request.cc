// The way of a build. Each phase is one call; what it does is in the module that it names.
#include "build/build_request.h"

#include <algorithm>

#include "base/error.h"
#include "base/files.h"
#include "base/free_memory.h"
#include "base/strings.h"
#include "build/build_inputs.h"
#include "build/build_run.h"
#include "build/cache_export.h"
#include "build/cache_import.h"
#include "build/frontend.h"
#include "build/layout_export.h"
#include "build/local_export.h"
#include "build/publish.h"
#include "build/recorded_keys.h"
#include "build/source_date_epoch.h"
#include "graph/root_image.h"
#include "history/recorder.h"
#include "nodes/image_source.h"
#include "nodes/local_contexts.h"
#include "nodes/local_node.h"

namespace slipway {

namespace {

namespace fs = std::filesystem;
constexpr const char* kEpochArg = "SOURCE_DATE_EPOCH";
constexpr const char* kInlineCacheArg = "BUILDKIT_INLINE_CACHE";

/// The request with every default decided.
struct PreparedRequest {
  std::vector<Platform> platforms;
  std::vector<OutputSpec> outputs;
  AssembleOptions assemble;
};

std::optional<std::int64_t> source_date_epoch(const std::map<std::string, std::string>& build_args) {
  const auto found = build_args.find(kEpochArg);
  return found == build_args.end() ? std::nullopt : parse_source_date_epoch(found->second);
}

/// All outputs of a build share their layers.
LayerOptions layer_options(const std::vector<OutputSpec>& outputs, const std::optional<std::int64_t>& epoch) {
  const auto of = [&](const OutputSpec& output) {
    LayerOptions options{.compression = output.compression, .level = output.compression_level};
    if (output.rewrite_timestamp) options.clamp_mtime = epoch;
    return options;
  };
  const LayerOptions first = of(outputs.front());
  for (const OutputSpec& output : outputs)
    if (of(output).key() != first.key())
      throw UsageError("--output: all outputs of one build must agree on compression and rewrite-timestamp");
  return first;
}

bool wants_inline_cache(const BuildRequest& request) {
  const auto arg = request.build_args.find(kInlineCacheArg);
  if (arg != request.build_args.end() && (arg->second == "1" || arg->second == "true")) return true;
  return std::ranges::any_of(
      request.cache_to, [](const CacheTarget& target) { return target.type == CacheTarget::Type::Inline; });
}

/// What can be known of a destination is told before the build, not after it.
void check_destination(const OutputSpec& output) {
  if (output.type == OutputSpec::Type::Image || output.dest == "-") return;
  std::error_code ignored;
  const bool is_directory = fs::is_directory(output.dest, ignored);
  const bool wants_directory = output.type == OutputSpec::Type::Local || !output.tar;
  if (wants_directory && !is_directory && fs::exists(output.dest, ignored))
    throw UsageError(concat("--output: ", output.dest.native(), " is not a directory"));
  if (!wants_directory && is_directory)
    throw UsageError(
        concat("--output: ", output.dest.native(), " is a directory; for a layout in it add tar=false"));
  const fs::path parent = output.dest.has_parent_path() ? output.dest.parent_path() : fs::path(".");
  if (!wants_directory && !fs::is_directory(parent, ignored))
    throw UsageError(concat("--output: there is no directory ", parent.native()));
}

PreparedRequest prepare(const BuildRequest& request) {
  PreparedRequest prepared;
  prepared.platforms = request.platforms.empty() ? std::vector{Platform::host()} : request.platforms;
  prepared.outputs = request.outputs.empty() ? std::vector{OutputSpec{}} : request.outputs;
  for (OutputSpec& output : prepared.outputs) {
    output.names.insert(output.names.begin(), request.tags.begin(), request.tags.end());
    if (output.push && output.names.empty()) throw UsageError("--push needs a name to push to: give -t NAME");
    for (const ImageRef& name : output.names)
      if (name.digest()) throw UsageError(concat("the name ", name.str(), " has a digest; a tag is needed"));
    check_destination(output);
  }
  const bool has_image = std::ranges::any_of(
      prepared.outputs, [](const OutputSpec& output) { return output.type != OutputSpec::Type::Local; });
  if (wants_inline_cache(request) && !has_image)
    throw UsageError("--cache-to: type=inline needs an image to be in: add --push or -o type=oci,dest=FILE");
  prepared.assemble.epoch = source_date_epoch(request.build_args);
  prepared.assemble.layers = layer_options(prepared.outputs, prepared.assemble.epoch);
  return prepared;
}

void use_epoch_of_dockerfile(PreparedRequest& prepared, const std::optional<std::int64_t>& epoch) {
  prepared.assemble.epoch = epoch;
  prepared.assemble.layers = layer_options(prepared.outputs, epoch);
  if (!epoch && std::ranges::any_of(prepared.outputs, &OutputSpec::rewrite_timestamp))
    throw UsageError(
        "--output: rewrite-timestamp=true needs SOURCE_DATE_EPOCH (environment, --build-arg, or an ARG "
        "before the "
        "first FROM)");
}

/// The names of all image outputs (of those that are pushed), each once.
std::vector<ImageRef> image_names(const PreparedRequest& prepared, bool OutputSpec::*only = nullptr) {
  std::vector<ImageRef> names;
  for (const OutputSpec& output : prepared.outputs) {
    if (output.type != OutputSpec::Type::Image || (only && !(output.*only))) continue;
    for (const ImageRef& name : output.names)
      if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
  return names;
}

std::vector<ImageRef> pushed_names(const PreparedRequest& prepared) {
  return image_names(prepared, &OutputSpec::push);
}

/// What the outputs need of results that are known in caches only. A push needs none: what the registry has
/// or can mount is not fetched.
RunHooks::Needs needs_of(const PreparedRequest& prepared) {
  auto needs = RunHooks::Needs::Nothing;
  for (const OutputSpec& output : prepared.outputs) {
    if (output.type == OutputSpec::Type::Local) return RunHooks::Needs::Trees;
    if (output.type == OutputSpec::Type::Oci || !output.push) needs = RunHooks::Needs::Blobs;
  }
  return needs;
}

/// False after a push of layers that were in caches only: such an image is in the registry alone.
bool has_all_layers(Store& store, const std::vector<AssembledImage>& images) {
  return std::ranges::all_of(images, [&](const AssembledImage& image) {
    return std::ranges::all_of(image.layers,
                               [&](const Descriptor& layer) { return store.blobs().has(layer.digest); });
  });
}

/// Every output, then the names: nothing has a name before all of it is there.
Descriptor publish(const PreparedRequest& prepared, Store& store, Publisher& publisher,
                   const std::vector<AssembledImage>& images, std::stop_token stop) {
  const Descriptor image = assemble_index(store, images, /*always_index=*/false);
  for (const OutputSpec& output : prepared.outputs) {
    switch (output.type) {
      case OutputSpec::Type::Oci:
        if (output.tar) {
          export_layout_tar(store, image, output.names, output.dest, stop);
        } else {
          export_layout_directory(store, image, output.names, output.dest, stop);
        }
        break;
      case OutputSpec::Type::Local:
        export_trees(store, images, output.dest, stop);
        break;
      case OutputSpec::Type::Image:
        break;  // below, once all files are written
    }
  }
  if (const auto names = pushed_names(prepared); !names.empty()) publisher.move_tags(image, names, stop);
  if (const auto names = image_names(prepared); !names.empty() && has_all_layers(store, images))
    store.images().set(names, image);
  return image;
}

std::string publish_name(const PreparedRequest& prepared) {
  const auto pushed = pushed_names(prepared);
  return !pushed.empty() ? concat("publishing ", pushed.front().familiar())
         : prepared.outputs.front().type == OutputSpec::Type::Image ? "naming the image in the store"
                                                                    : "exporting";
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
                      const Descriptor& published, const dockerfile::Lowered& lowered, BuildRun& run) {
  BuildResult result{.image = published, .names = request.tags};
  for (const OutputSpec& output : prepared.outputs)
    for (const ImageRef& name : output.names)
      if (std::ranges::find(result.names, name) == result.names.end()) result.names.push_back(name);
  const std::vector<BuildRun::LaneEnd> ends = run.lane_ends();
  for (std::size_t i = 0; i < ends.size(); ++i)
    result.platforms.push_back({.platform = lowered.lanes[i].platform,
                                .manifest = ends[i].image.manifest,
                                .size = ends[i].image.size(),
                                .mode = ends[i].mode,
                                .isolation = ends[i].isolation,
                                .twins = ends[i].twins,
                                .seconds = ends[i].seconds});
  if (ends.size() == 1) result.config = ends.front().image.config.digest;
  return result;
}

/// Platforms are assembled and uploaded beside the steps.
SchedulerOptions scheduler_options(const BuildRequest& request) {
  SchedulerOptions options{.keep_going = request.keep_going, .memory = available_memory};
  if (request.max_parallel > 0) options.pool_slots = {request.max_parallel};
  return options;
}

}  // namespace

BuildResult run_build(const BuildRequest& request, BuildEnvironment& env, std::stop_token stop) {
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
  CacheImports imports(request.no_cache ? std::vector<CacheSource>{} : request.cache_from, prepared.platforms,
                       env.store, env.registry, env.progress);
  imports.load(stop);

  // Solve: steps with results are left out; the rest run where they can, then each platform is assembled and,
  // if it is to be pushed, uploaded while others still build; publishing comes last and at once.
  LocalNode node(env.store, env.sandbox, inputs.images(), contexts,
                 {.host = Platform::host(),
                  .emulation = request.emulation,
                  .emulators = env.emulators,
                  .secrets = request.secrets,
                  .ssh = request.ssh,
                  .limits = request.limits,
                  .timeouts = request.timeouts,
                  .no_new_privileges = request.no_new_privileges,
                  .twins = {.packs = request.accel_packs,
                            .directory = env.store.root() / "emulators" / "accelerated",
                            .base_image =
                                [&](const Digest& vertex) {
                                  const Vertex* image = root_image(lowered.graph, vertex);
                                  return image ? &std::get<SourceOp>(image->op.what) : nullptr;
                                }},
                  .remote = &inputs.remote()},
                 env.progress);
  Publisher publisher(env.store, env.registry, inputs.images(), &imports);
  std::optional<Descriptor> published;
  RunHooks hooks{.on_image = {},
                 .publish =
                     [&](const std::vector<AssembledImage>& assembled, std::stop_token stopping) {
                       published = publish(prepared, env.store, publisher, assembled, stopping);
                     },
                 .publish_name = publish_name(prepared),
                 .needs = needs_of(prepared),
                 .inline_cache = wants_inline_cache(request)};
  if (const auto names = pushed_names(prepared); !names.empty()) {
    hooks.on_image = [&, names](const AssembledImage& image, const std::string& step,
                                std::stop_token stopping) {
      const auto progress = [&](const std::string& item, std::uint64_t current, std::uint64_t total) {
        env.progress.emit(BytesMoved{
            .id = step, .item = item, .current = current, .total = total, .done = current == total});
      };
      publisher.upload_image(image.manifest, names, progress, stopping);
    };
  }
  BuildRun run(lowered, std::move(keys), env.store, node, env.progress, prepared.assemble, std::move(hooks),
               &imports);
  CacheExports exports(request.cache_to, {.store = env.store,
                                          .registry = env.registry,
                                          .images = inputs.images(),
                                          .imports = imports,
                                          .progress = env.progress,
                                          .layers = prepared.assemble.layers,
                                          .pushed = pushed_names(prepared)});
  Plan plan = run.make_plan();
  exports.announce();
  run_plan(std::move(plan), run, env.executor, scheduler_options(request), stop);
  run.record_costs();
  env.store.file_digests().flush();

  // What is finished is saved for the next build, whatever became of this one.
  save_to_caches(exports, run, published.has_value(), env.progress, stop);
  run.throw_first_failure(env.log_tail);
  if (!published) throw Cancelled{};

  return summarise(request, prepared, *published, lowered, run);
}

}  // namespace slipway
