#include "slipway/build_flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "slipway/limit_flags.h"
#include "slipway/step_flags.h"
#include "slipway/tags.h"

namespace slipway {

namespace {

constexpr std::uint64_t kUsualPids = 16384;

std::pair<std::string, std::string> key_value(const std::string& text, const char* flag) {
  const std::size_t equals = text.find('=');
  if (equals == 0 || text.empty()) throw UsageError(concat(flag, " ", text, ": the name is missing"));
  if (equals == std::string::npos) return {text, ""};
  return {text.substr(0, equals), text.substr(equals + 1)};
}

// --build-arg NAME without a value takes it from the environment, and is nothing if it is not there.
std::map<std::string, std::string> build_args_of(const BuildFlags& flags) {
  std::map<std::string, std::string> args;
  if (const char* epoch = std::getenv("SOURCE_DATE_EPOCH")) args["SOURCE_DATE_EPOCH"] = epoch;
  for (const std::string& text : flags.build_args) {
    const auto [name, value] = key_value(text, "--build-arg");
    if (text.find('=') != std::string::npos) {
      args[name] = value;
    } else if (const char* inherited = std::getenv(name.c_str())) {
      args[name] = inherited;
    }
  }
  return args;
}

// NAME=VALUE; a later one of the same name wins.
std::map<std::string, std::string> named_contexts_of(const std::vector<std::string>& texts) {
  std::map<std::string, std::string> contexts;
  for (const std::string& text : texts) {
    const auto [name, value] = key_value(text, "--build-context");
    if (value.empty()) throw UsageError(concat("--build-context ", text, ": expected NAME=VALUE"));
    contexts.insert_or_assign(name, value);
  }
  return contexts;
}

// --push makes every image output one that is pushed; without any it adds one.
void push_images(std::vector<OutputSpec>& outputs) {
  bool found = false;
  for (OutputSpec& output : outputs) {
    if (output.type != OutputSpec::Type::Image) continue;
    output.push = found = true;
  }
  if (!found) outputs.push_back({.type = OutputSpec::Type::Image, .push = true});
}

ProvenanceRequest provenance_of(const BuildFlags& flags) {
  ProvenanceRequest request = parse_attestations(flags.attests, flags.provenance, flags.sbom);
  if (const char* wanted = std::getenv("BUILDX_METADATA_PROVENANCE"))
    request.metadata = parse_metadata_provenance(wanted);
  return request;
}

}  // namespace

BuildRequest request_of(const BuildFlags& flags) {
  if (flags.context.empty() && flags.llb.empty())
    throw UsageError("the build context is missing: name a directory (.), a URL, or - for stdin");
  BuildRequest request{.context = flags.context, .dockerfile = flags.file, .target = flags.target};
  request.named_contexts = named_contexts_of(flags.build_contexts);
  if (const char* socket = std::getenv("SSH_AUTH_SOCK")) request.ssh_auth_sock = socket;
  if (const char* home = std::getenv("HOME"))
    request.known_hosts = std::filesystem::path(home) / ".ssh/known_hosts";
  try {
    for (const std::string& list : flags.platforms)
      for (const Platform& platform : parse_platform_list(list))
        if (std::ranges::find(request.platforms, platform) == request.platforms.end())
          request.platforms.push_back(platform);
  } catch (Error& e) {
    e.add_context("--platform");
    throw;
  }
  request.tags = parse_tags(flags.tags);
  request.build_args = build_args_of(flags);
  for (const std::string& label : flags.labels) {
    const auto [key, value] = key_value(label, "--label");
    request.labels.insert_or_assign(key, value);
  }
  for (const std::string& text : flags.secrets) {
    auto [id, value] = read_secret(text);
    request.secrets.insert_or_assign(id, std::move(value));
  }
  request.ssh = parse_ssh(flags.ssh);
  for (const std::string& text : flags.allow) request.allowed.allow(text);
  for (const std::string& output : flags.outputs) request.outputs.push_back(parse_output(output));
  if (flags.push) push_images(request.outputs);
  request.provenance = provenance_of(flags);
  for (const std::string& cache : flags.cache_from) request.cache_from.push_back(parse_cache_source(cache));
  for (const std::string& cache : flags.cache_to) request.cache_to.push_back(parse_cache_target(cache));
  request.no_cache = flags.no_cache;
  for (const std::string& names : flags.no_cache_filter)
    for (const std::string& name : split_csv(names)) request.no_cache_stages.insert(to_lower(name));
  request.keep_going = flags.keep_going;
  request.max_parallel = flags.max_parallel;
  if (!flags.memory.empty()) request.limits.memory = parse_bytes(flags.memory, "--memory");
  if (!flags.cpus.empty()) request.limits.cpus = parse_cpus(flags.cpus);
  request.limits.pids = flags.pids_limit.value_or(kUsualPids);
  request.limits.pids_asked = flags.pids_limit.has_value();
  request.no_new_privileges = flags.no_new_privileges;
  request.timeouts = {.whole = parse_timeout(flags.step_timeout, "--step-timeout"),
                      .silent = parse_timeout(flags.idle_timeout, "--idle-timeout")};
  if (!flags.shm_size.empty())
    request.shm_size = static_cast<std::int64_t>(parse_bytes(flags.shm_size, "--shm-size"));
  request.ulimits = parse_ulimits(flags.ulimits);
  request.extra_hosts = parse_hosts(flags.hosts);
  request.emulation = EmulationPolicies::parse(flags.emulation);
  for (const std::string& pack : flags.accel_packs) request.accel_packs.push_back(ImageRef::parse(pack));
  return request;
}

namespace {

/// Adds options that take one value, and such that take one each time they are given.
auto adders_for(CLI::App& command) {
  const auto text = [&command](const char* name, std::string& value, const char* help, const char* type) {
    command.add_option(name, value, help)->type_name(type);
  };
  const auto list = [&command](const char* name, std::vector<std::string>& value, const char* help,
                               const char* type) {
    command.add_option(name, value, help)->type_name(type)->allow_extra_args(false);
  };
  return std::pair(text, list);
}

/// Of no sign and no more than `most`, which CLI11 would take for a number that is none.
template <class Number>
void add_count(CLI::App& command, const char* name, Number& value, std::uint64_t most, const char* help) {
  const auto set = [name, &value, most](const std::string& text) {
    try {
      value = parse_count(text, name, most);
    } catch (const UsageError& e) {
      throw CLI::ValidationError(e.what());
    }
  };
  command.add_option_function<std::string>(name, set, help)->type_name("NUMBER");
}

/// What is built of what, and where it goes.
void add_image_flags(CLI::App& command, BuildFlags& flags) {
  const auto [text, list] = adders_for(command);
  list("--platform", flags.platforms,
       "Target platforms, e.g. linux/amd64,linux/arm64 (default: this machine's)", "LIST");
  list("-t,--tag", flags.tags, "Name of the image: [registry/]repository[:tag]; may be repeated", "NAME");
  text("-f,--file", flags.file, "The Dockerfile (default: PATH/Dockerfile); - reads it from stdin", "FILE");
  text("--target", flags.target, "The stage to build (default: the last)", "STAGE");
  list("--build-arg", flags.build_args, "Set a build-time variable; NAME alone takes it from the environment",
       "NAME=VALUE");
  list("--build-context", flags.build_contexts,
       "Another context: a directory, docker-image://REF, oci-layout://DIR[:TAG], target:STAGE or a URL",
       "NAME=VALUE");
  list("--label", flags.labels, "Set metadata of the image", "KEY=VALUE");
  list("--cache-from", flags.cache_from,
       "Take steps' results from a cache: type=registry|local|gha|s3[,ref=REF|,src=DIR][,required=true], or "
       "REF; "
       "may be "
       "repeated",
       "SPEC");
  list("--cache-to", flags.cache_to,
       "Save steps' results in a cache: "
       "type=registry|local|gha|s3|inline[,ref=REF|,dest=DIR][,mode=max][,...]; may "
       "be "
       "repeated",
       "SPEC");
  command.add_flag("--no-cache", flags.no_cache, "Run every step, whatever is known");
  list("--no-cache-filter", flags.no_cache_filter, "Run every step of these stages, whatever is known",
       "STAGES");
  list("-o,--output", flags.outputs,
       "Where the result goes: type=image|registry|oci|local|cacheonly[,dest=PATH][,...]", "SPEC");
  command.add_flag("--push", flags.push,
                   "Push to the registry that the tags name: short for --output=type=registry");
  command.add_flag("--provenance{true}", flags.provenance,
                   "Attach what the image was made of: =true, =false or "
                   "=mode=min|max[,version=v1|v0.2][,builder-id=URL][,...] (default: attach nothing)");
  list("--attest", flags.attests, "The same as --provenance: type=provenance[,mode=min|max][,...]", "SPEC");
  command.add_flag("--sbom{true}", flags.sbom)->group("");
}

/// What steps get and may.
void add_step_flags(CLI::App& command, BuildFlags& flags) {
  const auto [text, list] = adders_for(command);
  list("--secret", flags.secrets, "Give a secret to RUN --mount=type=secret: id=ID[,src=FILE|,env=VARIABLE]",
       "SPEC");
  list("--ssh", flags.ssh, "Give an ssh agent to RUN --mount=type=ssh: ID[=SOCKET|=KEYFILE[,KEYFILE]]",
       "SPEC");
  list("--allow", flags.allow,
       "Allow what the Dockerfile may not do by itself: network.host, security.insecure, device[=NAME]",
       "NAME");
  text("-m,--memory", flags.memory, "Memory that each step may use, e.g. 2g", "SIZE");
  text("--cpus", flags.cpus, "Processors that each step may use, e.g. 1.5", "NUMBER");
  constexpr std::uint64_t kMostProcesses = 1 << 22;  // Linux has no more
  add_count(command, "--pids-limit", flags.pids_limit, kMostProcesses,
            "Processes that each step may have, where that can be kept (default 16384; 0: any number)");
  list("--ulimit", flags.ulimits, "Resource limit of each step's processes, e.g. nofile=1024:4096",
       "NAME=SOFT[:HARD]");
  text("--shm-size", flags.shm_size, "Size of each step's /dev/shm (default 64m)", "SIZE");
  list("--add-host", flags.hosts, "A line of each step's /etc/hosts", "HOST:ADDRESS");
  text("--step-timeout", flags.step_timeout, "How long a step may take, e.g. 30m (default: any time)",
       "DURATION");
  text("--idle-timeout", flags.idle_timeout,
       "How long a step may go on without writing anything, e.g. 5m (default: any time)", "DURATION");
  command.add_flag("--no-new-privileges", flags.no_new_privileges,
                   "Steps gain nothing by executing a program: sudo and su do not work in them");
  command
      .add_option("--oci-runtime", flags.oci_runtime, "What runs steps: crun (default) or runc, or a path")
      ->type_name("PROGRAM")
      ->envname("SLIPWAY_OCI_RUNTIME");
}

/// How the build runs and what it tells.
void add_run_flags(CLI::App& command, BuildFlags& flags) {
  const auto [text, list] = adders_for(command);
  text("--progress", flags.progress, "auto, plain, tty, rawjson, quiet or none", "MODE");
  text("--metadata-file", flags.metadata_file, "Write the result (or the error) as JSON", "FILE");
  text("--iidfile", flags.iidfile, "Write the image ID", "FILE");
  list("--emulation", flags.emulation,
       "Foreign platforms: auto, accelerated, qemu, verify or never; PLATFORM=POLICY for one of them; may be "
       "repeated",
       "POLICY");
  list("--accel-pack", flags.accel_packs,
       "Run the target's compilers by the cross compilers of this image; may be repeated", "REF");
  list("--qemu-dir", flags.qemu_dirs,
       "Look for emulators here first (also: $SLIPWAY_QEMU_DIR); may be repeated", "DIR");
  text("--qemu-image", flags.qemu_image,
       "Take emulators that this machine lacks from this image (also: $SLIPWAY_QEMU_IMAGE)", "REF");
  constexpr std::uint64_t kMostSteps = 65'536, kMostThreads = 4096;
  add_count(command, "--max-parallel", flags.max_parallel, kMostSteps,
            "Steps of the Dockerfile that run at once (default 0: as many as can)");
  add_count(command, "--jobs", flags.jobs, kMostThreads,
            "Threads that pack, unpack and digest at once (default 0: as many as there are processors)");
  command.add_flag("--keep-going", flags.keep_going,
                   "After a failure, go on with what does not depend on it");
  CLI::Option* call =
      command
          .add_option("--call", flags.call,
                      "Look at the Dockerfile instead of building: check, outline or targets[,format=json]")
          ->type_name("METHOD");
  command.add_flag("--check", flags.check, "Check the Dockerfile: short for --call=check")->excludes(call);
  text("--llb", flags.llb,
       "Build this LLB definition in place of a Dockerfile; - reads it from stdin; PATH is what it reads as "
       "\"context\"",
       "FILE");
  command.add_flag("--print-llb{-}", flags.print_llb,
                   "Build nothing; write the LLB definition to stdout, or to =FILE; =json for people");
  command.add_flag("-q,--quiet", flags.quiet, "Print only the image ID");
}

}  // namespace

void add_build_flags(CLI::App& command, BuildFlags& flags) {
  add_image_flags(command, flags);
  add_step_flags(command, flags);
  add_run_flags(command, flags);
}

}  // namespace slipway
