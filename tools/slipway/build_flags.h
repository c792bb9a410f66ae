#pragma once
// The flags of `slipway build`, which is also what `slipway explain --plan` looks at, and the BuildRequest
// that they make.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "build/build_request.h"

namespace CLI {
class App;
}

namespace slipway {

struct BuildFlags {
  std::string context;
  std::string file, target, progress, metadata_file, iidfile, qemu_image, call = "build", llb, print_llb,
                                                                          provenance, sbom;
  std::vector<std::string> platforms, tags, build_args, build_contexts, no_cache_filter, labels, outputs,
      secrets, ssh, attests, allow, emulation, qemu_dirs, accel_packs, cache_from, cache_to;
  std::string memory, cpus, shm_size, step_timeout = "0", idle_timeout = "0", oci_runtime;
  std::optional<std::uint64_t> pids_limit;
  bool no_new_privileges = false;
  std::vector<std::string> ulimits, hosts;
  std::size_t max_parallel = 0, jobs = 0;
  bool check = false, no_cache = false, push = false, keep_going = false, quiet = false;
};

/// Declares them all but the context on `command`. `flags` must live as long as it.
void add_build_flags(CLI::App& command, BuildFlags& flags);

/// Without the definition that --llb names (cli_llb.h). Throws UsageError that names the flag.
BuildRequest request_of(const BuildFlags& flags);

}  // namespace slipway
