#include "nodes/exec_step.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <iterator>
#include <utility>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "nodes/exec_mounts.h"

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

std::string exit_message(const ExecOp& exec, const SandboxResult& result, const StepLimits& limits) {
  const int exit_code = result.exit_code;
  std::string message = concat("process \"", shown_command(exec.args),
                               "\" did not complete successfully: exit code: ", exit_code);
  if (exit_code > 128 && exit_code < 160) message += concat(" (killed by signal ", exit_code - 128, ")");
  if (result.out_of_memory)
    message += concat(": out of memory: the step may use ", shown_memory(limits.memory), " (--memory)");
  else if (result.too_many_processes)
    message += concat(": the step may have ", limits.pids, " processes (--pids-limit)");
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

}  // namespace

VertexResult run_exec_step(const ExecEnvironment& environment, const Execution& execution,
                           const Vertex& vertex, const ExecOp& exec, const std::vector<VertexResult>& inputs,
                           std::stop_token stop) {
  const TempDir scratch(environment.store.temp_directory(), "run");
  ActiveSnapshot active =
      environment.store.snapshots().prepare(snapshot_of(root_mount(exec).input, inputs), stop);
  SandboxSpec spec{
      .id = concat("slipway-", vertex.digest.short_hex(), "-", scratch.path().filename().native().substr(4)),
      .rootfs = active.root(),
      .scratch = scratch.path(),
      .args = exec.args,
      .env = exec.env,
      .cwd = exec.cwd,
      .user = exec.user,
      .network = exec.network,
      .security = exec.security,
      .execution = execution,
      .extra_hosts = exec.extra_hosts,
      .ulimits = exec.ulimits,
      .limits = environment.limits,
      .no_new_privileges = environment.no_new_privileges};
  std::ranges::transform(spec.id, spec.id.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (!exec.hostname.empty()) spec.hostname = exec.hostname;
  add_proxy(exec.proxy, spec.env);
  add_secrets(environment.secrets, exec, spec);
  add_agents(environment.agents, exec, spec, stop);
  add_devices(environment.devices, exec, spec);
  // Not before all else is known to be there: this may wait for others, and copy much.
  ExecMounts mounts(environment.store, environment.contexts, environment.progress, vertex, inputs,
                    environment.sandbox().mount_means());
  mounts.add_to(spec, exec, stop);
  const SandboxResult result = run_in_sandbox(environment, vertex, spec, stop);
  if (result.exit_code != 0) throw BuildFailed(exit_message(exec, result, environment.limits));
  return {.snapshot = environment.store.snapshots().commit(std::move(active), now_seconds())};
}

}  // namespace slipway
