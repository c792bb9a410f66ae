#pragma once
// This machine as a node: runs single vertices of a graph on the local store with the local sandbox.
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/progress.h"
#include "base/secret.h"
#include "base/secret_mask.h"
#include "content/store.h"
#include "graph/graph.h"
#include "nodes/cache_mount_names.h"
#include "nodes/content_keys.h"
#include "nodes/context_trees.h"
#include "nodes/image_source.h"
#include "nodes/local_contexts.h"
#include "nodes/native_twins.h"
#include "nodes/remote_sources.h"
#include "nodes/ssh_agents.h"
#include "nodes/step_watch.h"
#include "nodes/vertex_result.h"
#include "qemu/emulator.h"
#include "runtime/device_registry.h"
#include "runtime/sandbox.h"

namespace slipway {

struct LocalNodeOptions {
  Platform host = Platform::host();
  EmulationPolicies emulation;
  EmulatorSearch emulators;
  std::map<std::string, Secret> secrets;
  std::map<std::string, SshSource> ssh;
  std::vector<std::filesystem::path> device_directories = DeviceRegistry::standard_directories();
  StepLimits limits;      ///< of each step
  StepTimeouts timeouts;  ///< of each step
  bool no_new_privileges = false;
  NativeTwinsOptions twins;
  CacheMountFill fill_cache_mount;  ///< empty: new ones start empty, or as their "from" says
  RemoteSources* remote = nullptr;  ///< for git and http sources; borrowed
};

/// Thread-safe: many vertices at once.
class LocalNode {
 public:
  LocalNode(Store& store, std::function<Sandbox&()> sandbox, ImageSource& images, LocalContexts& contexts,
            LocalNodeOptions options, ProgressSink& progress);

  /// How programs of `target` run here; the same answer all through a build. The first time that this is
  /// emulation for want of something better, a warning says so. Throws HostError, the same each time.
  Execution execution_for(const Platform& target);
  /// How a step that runs so is kept apart. Throws HostError if there is nothing that could do that.
  Isolation isolation_of(const Execution& execution) { return sandbox_().isolation_of(execution); }
  /// How many times as long as on its own machine a program of `target` takes here, more or less.
  double slowdown_of(const Platform& target);

  /// Whether steps of `target` are emulated here, found without a look for an emulator.
  bool emulates(const Platform& target) const;
  EmulationPolicy emulation_policy(const Platform& target) const { return options_.emulation.of(target); }
  /// What tells the toolchain packs that are asked for from others; empty: none are.
  const std::string& name_of_packs() const { return name_of_packs_; }

  /// The result of an image source that is unpacked already; of no other vertex.
  std::optional<VertexResult> find_result(const Vertex& vertex);

  /// LayerOptions::fetch_again.
  void fetch_again(const Descriptor& layer, std::stop_token stop) { images_.fetch_again(layer, std::move(stop)); }

  /// ImageSource::find_diff_ids().
  std::optional<std::vector<Digest>> find_diff_ids(const SourceOp& image) {
    return images_.find_diff_ids(image);
  }

  /// Its result is known: what running it would have needed can go.
  void forget(const Vertex& vertex) { contexts_.forget_lists(vertex); }
  /// The keys that a vertex has by the content of what it reads (content_keys.h).
  std::optional<ContentKeys> content_keys(const Vertex& vertex, const std::vector<VertexResult>& inputs,
                                          std::stop_token stop) {
    return content_keys_of(store_, contexts_, vertex, inputs, std::move(stop));
  }

  /// Runs one vertex on the results of its inputs and commits what it changed; a process that exits with
  /// other than 0 is BuildFailed. Leaves nothing behind if it throws.
  VertexResult run(const Vertex& vertex, const std::vector<VertexResult>& inputs, std::stop_token stop);

  /// After the build: warns of toolchain packs that were of no use.
  void tell_unused_packs();

 private:
  void tell_unkept_limits();
  VertexResult run_source(const Vertex& vertex, const SourceOp& source, std::stop_token stop);
  void tell_of(const Platform& target, const Execution& execution);

  Store& store_;
  std::function<Sandbox&()> sandbox_;  ///< asked for when a step runs: a build that runs nothing needs none
  ImageSource& images_;
  LocalContexts& contexts_;
  const LocalNodeOptions options_;
  ProgressSink& progress_;
  SecretMask mask_;
  ContextTrees context_trees_;
  SshAgents agents_;
  DeviceRegistry devices_;
  NativeTwins twins_;
  const std::string name_of_packs_;
  std::once_flag limits_told_;
  Synchronized<std::set<Platform>> not_compared_;
  Synchronized<std::map<Platform, std::variant<Execution, HostError>>> executions_;
};

}  // namespace slipway
