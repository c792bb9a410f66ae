#pragma once
// The whole of a build: what is asked, what it needs from outside, what comes of it. build_request.cc is the
// story of a build, top to bottom.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "base/logger.h"
#include "base/progress.h"
#include "base/secret.h"
#include "build/attestations.h"
#include "build/cache_specs.h"
#include "build/entitlements.h"
#include "build/outputs.h"
#include "content/store.h"
#include "graph/definition.h"
#include "manifest/image_ref.h"
#include "manifest/oci.h"
#include "nodes/ssh_agents.h"
#include "nodes/step_watch.h"
#include "nodes/vertex_result.h"
#include "platforms/platform.h"
#include "qemu/emulator.h"
#include "registry/client.h"
#include "runtime/sandbox.h"
#include "scheduler/executor.h"

namespace slipway {

class BuildRecorder;

struct BuildRequest {
  /// What is built in place of a Dockerfile, or null. It reads "context" as `context` and others as named
  /// ones, all of them directories (or OCI layouts). Borrowed.
  const Definition* definition = nullptr;
  std::filesystem::path context;     ///< a directory, "-" (stdin), a git or http(s) URL: contexts.h
  std::filesystem::path dockerfile;  ///< empty: context/Dockerfile; "-": stdin
  std::map<std::string, std::string> named_contexts;  ///< --build-context NAME=VALUE
  std::vector<Platform> platforms;                    ///< empty: the host's
  std::vector<ImageRef> tags;
  std::string target;
  std::map<std::string, std::string> build_args;
  std::map<std::string, std::string> labels;
  std::map<std::string, Secret> secrets;
  std::map<std::string, SshSource> ssh;
  Entitlements allowed;
  std::vector<OutputSpec> outputs;  ///< empty: an image in the store
  ProvenanceRequest provenance;
  std::vector<CacheSource> cache_from;
  std::vector<CacheTarget> cache_to;
  bool no_cache = false;
  std::set<std::string> no_cache_stages;
  bool keep_going = false;
  std::size_t max_parallel = 0;  ///< steps of the Dockerfile at once; 0: as many as can
  EmulationPolicies emulation;
  std::vector<ImageRef> accel_packs;  ///< toolchains of this machine's for emulated steps (accel/packs.h)
  StepLimits limits;
  StepTimeouts timeouts;
  bool no_new_privileges = false;  ///< steps cannot gain any, by sudo or otherwise
  std::vector<ExtraHost> extra_hosts;
  std::vector<Ulimit> ulimits;
  std::int64_t shm_size = 0;          ///< bytes; 0: 64 MiB
  std::string ssh_auth_sock;          ///< of the agent that git may ask; empty: none
  std::filesystem::path known_hosts;  ///< whose servers git over ssh knows; empty: none
  int input = 0;                      ///< what "-" reads
};

/// What a build works with; all of it outlives the build.
struct BuildEnvironment {
  Store& store;
  RegistryClient& registry;
  Executor& executor;
  ProgressSink& progress;
  std::function<Sandbox&()> sandbox;  ///< called when a step must run, not before; thread-safe
  EmulatorSearch emulators;
  /// The last lines that a step wrote, for the message of its failure.
  std::function<std::vector<std::string>(const std::string& step_id)> log_tail;
  /// Hears what the steps' keys are made of; of the progress it must hear elsewhere. May be null.
  BuildRecorder* recorder = nullptr;
};

struct PlatformSummary {
  Platform platform;
  std::optional<Descriptor> manifest;  ///< absent where no output has an image (type=cacheonly)
  std::uint64_t size = 0;              ///< of config and compressed layers
  std::string mode;                    ///< "native", "emulated by qemu-aarch64 7.2", "cached"
  std::string isolation;        ///< of the steps that ran so: "oci", "chroot", "proot"; empty: none ran
  std::vector<TwinUse> twins;   ///< native programs that ran in its emulated steps
  EmulationMarks emulation = {};  ///< how emulated steps in the result were run, in this build or before
  std::string provenance = {};  ///< for the metadata, as JSON; empty: it has none
  double seconds = 0;  ///< from the build's start to its last byte packed, and uploaded if it is pushed
};

struct BuildResult {
  std::optional<Descriptor> image;  ///< the index, or the manifest of a single platform; or as above
  std::vector<PlatformSummary> platforms;
  std::vector<ImageRef> names;
  std::optional<Digest> config;  ///< of a single platform
  std::string isolation;         ///< how its steps were kept apart, for the metadata; empty: not said
};

/// Blocking. Throws as the phases do; a failed step is rethrown with its place, platform and last lines.
/// Nothing is tagged or exported unless every platform succeeded.
BuildResult run_build(const BuildRequest& request, BuildEnvironment& environment, std::stop_token stop);

}  // namespace slipway
