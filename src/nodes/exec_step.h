#pragma once
// One process of a build (RUN) as a step: its mounts and secrets, the sandbox, the commit of what it wrote.
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/secret.h"
#include "base/secret_mask.h"
#include "base/synchronized.h"
#include "content/store.h"
#include "graph/graph.h"
#include "nodes/cache_mount_names.h"
#include "nodes/context_trees.h"
#include "nodes/native_twins.h"
#include "nodes/ssh_agents.h"
#include "nodes/step_watch.h"
#include "nodes/vertex_result.h"
#include "qemu/emulator.h"
#include "runtime/device_registry.h"
#include "runtime/sandbox.h"

namespace slipway {

/// What every such step of a build uses; borrowed.
struct ExecEnvironment {
  Store& store;
  const std::function<Sandbox&()>& sandbox;
  ContextTrees& contexts;
  const std::map<std::string, Secret>& secrets;
  const SecretMask& mask;  ///< of all the build's secrets: one step may print what another wrote down
  SshAgents& agents;
  const DeviceRegistry& devices;
  const StepLimits& limits;
  const StepTimeouts& timeouts;
  bool no_new_privileges;
  NativeTwins& twins;
  EmulationPolicy emulation;  ///< of the step's platform
  const std::string& packs;   ///< what names the toolchain packs that are asked for
  /// Platforms of steps of which Verify found nothing to compare.
  Synchronized<std::set<Platform>>& not_compared;
  const CacheMountFill& fill_cache_mount;  ///< may be empty
  ProgressSink& progress;
};

/// A process that exits with other than 0 is BuildFailed; a secret, agent or device that is required and not
/// given is InvalidInput; HostError if it insists on native twins and there are none, or a toolchain pack has
/// none though it is for programs of the root, or if twins gave other bytes than the emulator where that is
/// to be verified. Leaves nothing behind if it throws.
VertexResult run_exec_step(const ExecEnvironment& environment, const Execution& execution,
                           const Vertex& vertex, const ExecOp& exec, const std::vector<VertexResult>& inputs,
                           std::stop_token stop);

}  // namespace slipway
