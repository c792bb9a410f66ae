#include "nodes/exec_step.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "content/spare_space.h"
#include "content/tree_compare.h"
#include "nodes/exec_mounts.h"
#include "runtime/free_memory.h"

namespace slipway {

namespace {

std::string shown_command(const std::vector<std::string>& args) {
  constexpr std::size_t kShown = 400;
  const std::string command = join(args, " ");
  return command.size() <= kShown ? command : command.substr(0, kShown) + "...";
}

void add_proxy(const std::optional<ProxyEnv>& proxy, std::vector<std::string>& env) {
  if (!proxy) return;
  const auto add = [&](std::string_view name, const std::string& value) {
    if (value.empty()) return;
    env.push_back(concat(to_upper(name), "=", value));
    env.push_back(concat(name, "=", value));
  };
  add("http_proxy", proxy->http_proxy);
  add("https_proxy", proxy->https_proxy);
  add("ftp_proxy", proxy->ftp_proxy);
  add("no_proxy", proxy->no_proxy);
  add("all_proxy", proxy->all_proxy);
}

const Mount& root_mount(const ExecOp& exec) {
  const auto root = std::ranges::find(exec.mounts, std::string("/"), &Mount::dest);
  if (root == exec.mounts.end()) throw InvalidInput("the operation has no root file system");
  return *root;
}

/// As people write it for --memory: in powers of 1024.
std::string shown_memory(std::uint64_t bytes) {
  constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20;
  if (bytes % (kMebibyte << 10) == 0) return concat(bytes / (kMebibyte << 10), " GiB");
  if (bytes % kMebibyte == 0) return concat(bytes / kMebibyte, " MiB");
  return concat(bytes, " bytes");
}

/// What a step can have failed for that is no fault of its own.
struct Shortage {
  std::optional<std::uint64_t> memory;  ///< MemoryKills::limit()
  std::filesystem::path full_disk;      ///< what lies on it; empty: none is full
};

std::string exit_message(const ExecOp& exec, const SandboxResult& result, const StepLimits& limits,
                         const Shortage& shortage) {
  const int exit_code = result.exit_code;
  std::string message = concat("process \"", shown_command(exec.args),
                               "\" did not complete successfully: exit code: ", exit_code);
  if (exit_code > 128 && exit_code < 160) message += concat(" (killed by signal ", exit_code - 128, ")");
  if (result.out_of_memory)
    message += concat(": out of memory: the step may use ", shown_memory(limits.memory), " (--memory)");
  else if (result.too_many_processes)
    message += concat(": the step may have ", limits.pids, " processes (--pids-limit)");
  else if (shortage.memory == kAnyMemory)
    message += ": out of memory: the kernel killed a process, as this machine has no more";
  else if (shortage.memory)
    message += concat(
        ": out of memory: the kernel killed a process, as all that runs in this machine's or "
        "container's control group may use ",
        shown_memory(*shortage.memory));
  if (!shortage.full_disk.empty())
    message += concat(": the disk of ", shortage.full_disk.native(), " is full");
  return message;
}

const Secret* find_secret(const std::map<std::string, Secret>& secrets, const std::string& id,
                          bool optional) {
  const auto found = secrets.find(id);
  if (found != secrets.end()) return &found->second;
  if (optional) return nullptr;
  InvalidInput missing(concat("the step requires the secret \"", id, "\", which was not given"));
  missing.set_hint(concat("pass it with --secret id=", id, ",src=FILE or --secret id=", id, ",env=VARIABLE"));
  throw missing;
}

/// What execve(2) takes as one variable (MAX_ARG_STRLEN).
void check_variable(const SecretEnv& secret, const Secret& value) {
  constexpr std::size_t kLongest = std::size_t{128} << 10;
  const bool fits = secret.name.size() + value.reveal().size() + 2 <= kLongest;
  if (fits && value.reveal().find('\0') == std::string::npos) return;
  InvalidInput unfit(concat("the secret \"", secret.id, "\" cannot be the variable ", secret.name, ": it ",
                            fits ? "holds a zero byte" : "is longer than 128 KiB"));
  unfit.set_hint("mount it as a file");
  throw unfit;
}

void add_secrets(const std::map<std::string, Secret>& secrets, const ExecOp& exec, SandboxSpec& spec) {
  for (const Mount& mount : exec.mounts) {
    if (!mount.secret) continue;
    if (const Secret* value = find_secret(secrets, mount.secret->id, mount.secret->optional))
      spec.secrets.push_back({.dest = mount.dest,
                              .value = *value,
                              .uid = mount.secret->uid,
                              .gid = mount.secret->gid,
                              .mode = mount.secret->mode});
  }
  for (const SecretEnv& secret : exec.secret_env) {
    const Secret* value = find_secret(secrets, secret.id, secret.optional);
    if (value) check_variable(secret, *value);
    // One that is not given is an empty variable, as elsewhere: "set -u" does not trip over it.
    spec.secret_env.emplace_back(secret.name, value ? *value : Secret(std::string()));
  }
}

void add_agents(SshAgents& agents, const ExecOp& exec, SandboxSpec& spec, const std::stop_token& stop) {
  for (const Mount& mount : exec.mounts) {
    if (!mount.ssh) continue;
    const std::filesystem::path socket = agents.socket(mount.ssh->id, stop);
    if (!socket.empty()) {
      spec.agents.push_back({.dest = mount.dest,
                             .agent = socket,
                             .uid = mount.ssh->uid,
                             .gid = mount.ssh->gid,
                             .mode = mount.ssh->mode});
    } else if (!mount.ssh->optional) {
      InvalidInput missing(
          concat("the step requires the ssh agent \"", mount.ssh->id, "\", which was not given"));
      missing.set_hint(concat("forward the agent of $SSH_AUTH_SOCK with --ssh ", mount.ssh->id,
                              ", or name a socket or key files: --ssh ", mount.ssh->id, "=PATH"));
      throw missing;
    }
  }
}

void add_devices(const DeviceRegistry& devices, const ExecOp& exec, SandboxSpec& spec) {
  if (exec.devices.empty()) return;
  DeviceEdits edits = devices.edits_for(exec.devices);
  std::ranges::move(edits.env, std::back_inserter(spec.env));
  std::ranges::move(edits.mounts, std::back_inserter(spec.mounts));
}

/// What the step writes, masked, as its log.
class StepLogStream {
 public:
  StepLogStream(const ExecEnvironment& environment, const Vertex& vertex)
      : environment_(environment),
        id_(vertex.digest.str()),
        streams_{MaskedStream(environment.mask), MaskedStream(environment.mask)} {}
  void add(int stream, std::string_view bytes) {
    emit(stream, environment_.mask.empty() ? std::string(bytes) : masked(stream).add(bytes));
  }
  void finish() {
    for (const int stream : {1, 2}) emit(stream, masked(stream).finish());
  }

 private:
  MaskedStream& masked(int stream) { return streams_.at(stream == 2 ? 1 : 0); }
  void emit(int stream, std::string bytes) {
    if (!bytes.empty())
      environment_.progress.emit(StepLog{.id = id_, .stream = stream, .bytes = std::move(bytes)});
  }
  const ExecEnvironment& environment_;
  const std::string id_;
  std::array<MaskedStream, 2> streams_;
};

SandboxResult run_in_sandbox(const ExecEnvironment& environment, const Vertex& vertex,
                             const SandboxSpec& spec, const std::stop_token& stop) {
  StepLogStream log(environment, vertex);
  StepWatch watch(environment.timeouts, stop);
  try {
    const SandboxResult result = environment.sandbox().run(
        spec,
        [&](int stream, std::string_view bytes) {
          watch.heard();
          log.add(stream, bytes);
        },
        watch.token());
    log.finish();
    return result;
  } catch (const Cancelled&) {
    log.finish();
    if (const auto reason = watch.expired(); reason && !stop.stop_requested())
      throw BuildFailed(concat("process \"", shown_command(spec.args), "\" was stopped: ", *reason));
    throw;
  } catch (...) {
    log.finish();
    throw;
  }
}

/// One run of a step, not yet committed.
struct Attempt {
  ActiveSnapshot active;
  SandboxResult result;
  std::vector<TwinUse> twins;
  EmulationMark mark;  ///< of one that is emulated
  std::optional<std::uint64_t> memory_at_end = {};  ///< MemoryKills::limit()
};

void check_same(const Attempt& by_twins, const Attempt& by_emulator, const std::stop_token& stop);

class ExecStep {
 public:
  ExecStep(const ExecEnvironment& environment, const Execution& execution, const Vertex& vertex,
           const ExecOp& exec, const std::vector<VertexResult>& inputs)
      : environment_(environment), execution_(execution), vertex_(vertex), exec_(exec), inputs_(inputs) {}

  /// Once, or both ways if that is to be verified.
  Attempt run(const std::stop_token& stop) const {
    Start start(*this, stop);
    const auto twins = find_twins(start, stop);
    if (!twins && environment_.emulation == EmulationPolicy::Auto && vertex_.op.platform)
      start.spec.execution = environment_.twins.told(execution_);
    // Not before all else is known to be there: these may wait for others, and copy much.
    ExecMounts mounts(environment_.store, environment_.contexts, environment_.progress, vertex_, inputs_,
                      environment_.sandbox().mount_means(), environment_.fill_cache_mount);
    if (!twins || environment_.emulation != EmulationPolicy::Verify)
      return run_once(std::move(start), mounts, ExecMounts::Caches::Kept, twins.get(), stop);
    // Both find the cache mounts as they are, and only the emulator's run adds to them.
    Attempt by_twins = run_once(std::move(start), mounts, ExecMounts::Caches::Dropped, twins.get(), stop);
    Attempt by_emulator =
        run_once(Start(*this, stop), mounts, ExecMounts::Caches::Kept, /*twins=*/nullptr, stop);
    check_same(by_twins, by_emulator, stop);
    if (by_twins.twins.empty())
      tell("--emulation=verify: no native twin ran in this step, so both runs were the emulator's");
    by_emulator.twins = std::move(by_twins.twins);
    by_emulator.mark = {.by = EmulationMark::By::Both, .packs = environment_.packs};
    return by_emulator;
  }

 private:
  /// What a run begins with.
  struct Start {
    Start(const ExecStep& step, const std::stop_token& stop)
        : scratch(step.environment_.store.temp_directory(), "run"),
          active(step.environment_.store.snapshots().prepare(
              snapshot_of(root_mount(step.exec_).input, step.inputs_), stop)),
          spec(step.describe(active, scratch, stop)) {}
    TempDir scratch;
    ActiveSnapshot active;
    SandboxSpec spec;
  };

  Attempt run_once(Start start, ExecMounts& mounts, ExecMounts::Caches caches, const ReadyTwins* twins,
                   const std::stop_token& stop) const {
    const TempDir counts(environment_.store.temp_directory(), "counts");
    mounts.add_to(start.spec, exec_, caches, stop);
    if (twins) {
      add_twins(start.spec, *twins, counts.path());
      environment_.progress.emit(
          StepAccelerated{.id = vertex_.digest.str(), .twins = twins->root.twins.size()});
    }
    Attempt attempt{.active = std::move(start.active), .result = {}, .twins = {}, .mark = {}};
    const MemoryKills kills;
    attempt.result = run_in_sandbox(environment_, vertex_, start.spec, stop);
    attempt.memory_at_end = kills.limit();
    if (twins) attempt.twins = used_twins(*twins, counts.path());
    attempt.mark.by = attempt.twins.empty() ? EmulationMark::By::Emulator : EmulationMark::By::Twins;
    return attempt;
  }

  SandboxSpec describe(const ActiveSnapshot& active, const TempDir& scratch,
                       const std::stop_token& stop) const {
    SandboxSpec spec{.id = concat("slipway-", vertex_.digest.short_hex(), "-",
                                  scratch.path().filename().native().substr(4)),
                     .rootfs = active.root(),
                     .scratch = scratch.path(),
                     .args = exec_.args,
                     .env = exec_.env,
                     .cwd = exec_.cwd,
                     .user = exec_.user,
                     .network = exec_.network,
                     .security = exec_.security,
                     .execution = execution_,
                     .extra_hosts = exec_.extra_hosts,
                     .ulimits = exec_.ulimits,
                     .limits = environment_.limits,
                     .no_new_privileges = environment_.no_new_privileges};
    std::ranges::transform(spec.id, spec.id.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (!exec_.hostname.empty()) spec.hostname = exec_.hostname;
    add_proxy(exec_.proxy, spec.env);
    add_secrets(environment_.secrets, exec_, spec);
    add_agents(environment_.agents, exec_, spec, stop);
    add_devices(environment_.devices, exec_, spec);
    return spec;
  }

  /// Null: there are none, or they cannot be had here, or none are wanted.
  std::shared_ptr<const ReadyTwins> find_twins(const Start& start, const std::stop_token& stop) const {
    if (execution_.kind == Execution::Kind::Native || !uses_twins(environment_.emulation)) return nullptr;
    std::vector<std::string> why_not;
    std::shared_ptr<const ReadyTwins> twins;
    if (std::string why = why_none_can_run(start.spec); !why.empty()) {
      why_not.push_back(std::move(why));
    } else {
      const auto progress = [&](const std::string& item, std::uint64_t current, std::uint64_t total) {
        environment_.progress.emit(BytesMoved{.id = vertex_.digest.str(),
                                              .item = item,
                                              .current = current,
                                              .total = total,
                                              .done = current == total});
      };
      twins = environment_.twins.find(vertex_.digest, start.active.root(), *vertex_.op.platform, execution_,
                                      progress, why_not, stop);
    }
    for (const std::string& reason : why_not)
      environment_.store.logger().log(LogLevel::Debug, concat("native twins: ", reason));
    if (environment_.emulation == EmulationPolicy::Accelerated) check_accelerated(twins.get(), why_not);
    if (environment_.emulation == EmulationPolicy::Verify && !twins) tell_nothing_compared(why_not);
    return twins;
  }

  /// Whatever the root has; empty: some can.
  std::string why_none_can_run(const SandboxSpec& spec) const {
    if (execution_.kind != Execution::Kind::PrivateBinfmt)
      return "the emulator is the one that is registered with this machine's kernel";
    if (environment_.sandbox().mount_means() != MountMeans::Kernel)
      return "steps have no mounts of their own here";
    for (const Mount& mount : exec_.mounts)
      if (mount.dest != "/" && hides_twins(mount.dest))
        return concat("the step's own mount at ", mount.dest, " is where they would be");
    for (const SandboxMount& mount : spec.mounts)  // of devices
      if (hides_twins(mount.dest))
        return concat("a device's mount at ", mount.dest, " is where they would be");
    return {};
  }

  void check_accelerated(const ReadyTwins* twins, const std::vector<std::string>& why_not) const {
    constexpr const char* kHint =
        "--emulation=auto accelerates what it can; docs/accelerated-emulation.md says what that is";
    std::string problem;
    if (!twins) {
      problem = concat("nothing of ", vertex_.op.platform->str(),
                       " can be accelerated in this step: ", join(why_not, "; "));
    } else if (const auto idle = environment_.twins.idle_packs(twins, why_not); !idle.empty()) {
      problem = concat("a toolchain pack has no twin for this step: ", join(idle, "; "));
    } else {
      return;
    }
    HostError error(std::move(problem));
    error.set_hint(kHint);
    throw error;
  }

  void tell_nothing_compared(const std::vector<std::string>& why_not) const {
    const std::string why =
        why_not.empty() ? std::string("its root has no program with one") : why_not.front();
    tell(concat("--emulation=verify: nothing was compared, there is no native twin: ", why));
    if (environment_.not_compared.lock()->insert(*vertex_.op.platform).second)
      environment_.progress.emit(
          Warned{.message = concat(vertex_.op.platform->str(), ": --emulation=verify compared nothing of \"",
                                   vertex_.info.name, "\": there is no native twin: ", why)});
  }

  /// A line of the step's log.
  void tell(std::string_view line) const {
    environment_.progress.emit(StepLog{.id = vertex_.digest.str(), .stream = 2, .bytes = concat(line, "\n")});
  }

  const ExecEnvironment& environment_;
  const Execution& execution_;
  const Vertex& vertex_;
  const ExecOp& exec_;
  const std::vector<VertexResult>& inputs_;
};

void check_same(const Attempt& by_twins, const Attempt& by_emulator, const std::stop_token& stop) {
  constexpr std::size_t kShown = 20;
  std::vector<std::string> differences;
  if (by_twins.result.exit_code != by_emulator.result.exit_code)
    differences.push_back(
        concat("exit codes ", by_twins.result.exit_code, " and ", by_emulator.result.exit_code));
  std::ranges::move(tree_differences({by_twins.active.root(), by_twins.active.upper()},
                                     {by_emulator.active.root(), by_emulator.active.upper()}, kShown, stop),
                    std::back_inserter(differences));
  if (differences.empty()) return;
  HostError error(concat("the step gave other results with native twins than without: ",
                         join(differences, ", "), differences.size() >= kShown ? ", ..." : ""));
  error.set_hint(
      "either it never gives the same twice (times, random numbers), or a twin is wrong: then please report "
      "it, "
      "and use --emulation=qemu");
  throw error;
}

bool is_success(const ExecOp& exec, int exit_code) {
  if (exec.valid_exit_codes.empty()) return exit_code == 0;
  return std::ranges::find(exec.valid_exit_codes, exit_code) != exec.valid_exit_codes.end();
}

// What the step wrote is still there.
Shortage shortage_of(const ExecEnvironment& environment, const Attempt& attempt) {
  const std::filesystem::path& store = environment.store.root();
  return {.memory = attempt.memory_at_end,
          .full_disk = is_disk_full(store) ? store : std::filesystem::path()};
}

VertexResult commit(const ExecEnvironment& environment, const ExecOp& exec, Attempt attempt) {
  if (!is_success(exec, attempt.result.exit_code))
    throw BuildFailed(
        exit_message(exec, attempt.result, environment.limits, shortage_of(environment, attempt)));
  return {.snapshot = environment.store.snapshots().commit(std::move(attempt.active), now_seconds()),
          .context = {},
          .twins = std::move(attempt.twins),
          .peak_memory = attempt.result.peak_memory};
}

}  // namespace

VertexResult run_exec_step(const ExecEnvironment& environment, const Execution& execution,
                           const Vertex& vertex, const ExecOp& exec, const std::vector<VertexResult>& inputs,
                           std::stop_token stop) {
  Attempt attempt = ExecStep(environment, execution, vertex, exec, inputs).run(stop);
  const EmulationMark mark = attempt.mark;
  VertexResult result = commit(environment, exec, std::move(attempt));
  if (execution.kind != Execution::Kind::Native) result.emulation.emplace(*vertex.op.platform, mark);
  return result;
}

}  // namespace slipway
