#pragma once
// A whole build up to its images, with a fake in place of the sandbox: Dockerfile text in, what ran and what
// came of it out. Stages are FROM scratch, so no registry is asked. The machine is a linux/amd64, which runs
// linux/386, too.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/strings.h"
#include "build/build_run.h"
#include "build/cache_export.h"
#include "build/image_fixture.h"
#include "cache/cache_key.h"
#include "nodes/local_contexts.h"
#include "registry/client.h"
#include "scheduler/executor.h"
#include "support/fake_sandbox.h"
#include "support/no_credentials.h"
#include "support/recording_progress.h"

namespace slipway::testing_support {

class RunTest : public StoreTest {
 protected:
  struct Settings {
    std::vector<const char*> platforms = {"linux/amd64"};
    bool no_cache = false;
    bool keep_going = false;
    std::map<std::string, Secret> secrets = {};
    std::function<void()> before_run = {};  ///< once keys and plan are made
    std::function<void(const AssembledImage&)> on_image = {};
    std::function<void()> on_publish = {};
    std::vector<std::string> log_tail = {};
    std::vector<CacheSource> cache_from = {};
    std::vector<CacheTarget> cache_to = {};
    EmulationPolicies emulation = {};
  };
  struct Ended {
    std::vector<LaneEnd> lanes;
    std::vector<AssembledImage> published;
    std::size_t steps = 0;  ///< that were planned
  };

  RunTest() { std::filesystem::create_directories(context_); }
  // Whoever may mount may also give files to root, as COPY does.
  void SetUp() override { SLIPWAY_NEEDS_MOUNTS(); }
  void write_context(const std::string& name, const std::string& text) { write_text(context_ / name, text); }

  /// Throws what people would see.
  Ended build(std::string_view dockerfile, const Settings& settings) {
    dockerfile::LowerOptions options{.build_platform = kHost, .no_cache = settings.no_cache};
    for (const char* platform : settings.platforms) options.platforms.push_back(Platform::parse(platform));
    NoImages no_images;
    const dockerfile::Lowered lowered =
        dockerfile::lower(dockerfile::parse("Dockerfile", dockerfile), options, no_images, {});
    LocalContexts contexts(&store_->file_digests());
    contexts.add("context", context_, {});
    ImageSource images(*store_, registry_);
    CacheImports imports(settings.cache_from, options.platforms, *store_, registry_, progress_);
    imports.load({});
    std::map<Digest, Digest> keys = cache_keys(lowered.graph, contexts, {});
    LocalNode node(
        *store_, [this]() -> Sandbox& { return sandbox_asked(); }, images, contexts,
        {.host = kHost,
         .emulation = settings.emulation,
         .emulators = emulators_,
         .secrets = settings.secrets},
        progress_);
    Ended ended;
    RunHooks hooks{.on_image = {}, .publish = [&](const std::vector<LaneEnd>& lanes, std::stop_token) {
                     if (settings.on_publish) settings.on_publish();
                     for (const LaneEnd& lane : lanes) ended.published.push_back(*lane.image);
                   }};
    hooks.keep_going = settings.keep_going;
    if (settings.on_image)
      hooks.on_image = [&](const AssembledImage& image, const std::string&, std::stop_token) {
        settings.on_image(image);
      };
    CacheExports exports(settings.cache_to, {.store = *store_,
                                             .registry = registry_,
                                             .images = images,
                                             .imports = imports,
                                             .progress = progress_,
                                             .layers = {},
                                             .graph = lowered.graph,
                                             .pushed = {},
                                             .pause = std::chrono::milliseconds(0)});
    hooks.on_result = [&](FinishedStep step) { exports.hand_over(std::move(step)); };
    BuildRun run(lowered, std::move(keys), *store_, node, progress_, {}, std::move(hooks), &imports);
    Plan plan = run.make_plan();
    ended.steps = plan.size();
    if (settings.before_run) settings.before_run();
    run_plan(std::move(plan), run, *executor_, {.keep_going = settings.keep_going}, stop_.get_token());
    exports.run(run.finished_steps(), CacheExports::After::Success, {});
    run.throw_first_failure([&](const std::string& step) {
      asked_for_log_ = step;
      return settings.log_tail;
    });
    if (!ended.published.empty()) ended.lanes = run.lane_ends();
    return ended;
  }
  Ended build(std::string_view dockerfile) { return build(dockerfile, Settings{}); }
  /// The E that the build ends with.
  template <class E>
  E failure_of(std::string_view dockerfile, const Settings& settings) {
    try {
      build(dockerfile, settings);
    } catch (const E& error) {
      return error;
    } catch (const std::exception& other) {
      ADD_FAILURE() << "another error: " << other.what();
    }
    ADD_FAILURE() << "did not fail";
    return E("did not fail");
  }
  template <class E>
  E failure_of(std::string_view dockerfile) {
    return failure_of<E>(dockerfile, Settings{});
  }

  /// From now on builds have a store in which nothing is.
  void go_to_another_machine() {
    store_ = Store::open(directory_.path() / concat("machine-", ++machines_), logger_);
  }

  /// The files of an image's layers, later ones over earlier ones.
  std::map<std::string, std::string> files_of(const AssembledImage& image) {
    std::map<std::string, std::string> files;
    if (!image.tree) return files;
    for (const SnapshotId id : store_->snapshots().chain(*image.tree))
      for (const auto& [name, text] : files_below(store_->snapshots().diff_directory(id))) files[name] = text;
    return files;
  }

  inline static const Platform kHost = Platform::parse("linux/amd64");
  std::unique_ptr<Store> store_ = open();
  std::filesystem::path context_ = directory_.path() / "context";
  FakeSandbox sandbox_;
  bool sandbox_missing_ = false;
  RecordingProgress progress_;
  std::unique_ptr<Executor> executor_ = std::make_unique<InlineExecutor>();
  std::stop_source stop_;
  EmulatorSearch emulators_{.binfmt_directory = "/nonexistent"};
  std::string asked_for_log_;

 private:
  class NoImages final : public dockerfile::ImageResolver {
   public:
    dockerfile::BaseImage resolve(const ImageRef& ref, const Platform&, std::stop_token) override {
      throw NotFound(ref.str());
    }
  };
  Sandbox& sandbox_asked() {
    if (sandbox_missing_) throw HostError("there is no sandbox on this machine");
    return sandbox_;
  }
  int machines_ = 0;

 protected:
  RegistryClient registry_{{}, std::make_shared<NoCredentials>(), logger_};
};

}  // namespace slipway::testing_support
