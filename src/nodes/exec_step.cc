#include "nodes/exec_step.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"

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

std::string exit_message(const ExecOp& exec, int exit_code) {
  std::string message = concat("process \"", shown_command(exec.args),
                               "\" did not complete successfully: exit code: ", exit_code);
  if (exit_code > 128 && exit_code < 160) message += concat(" (killed by signal ", exit_code - 128, ")");
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
  for (const SecretEnv& secret : exec.secret_env)
    if (const Secret* value = find_secret(secrets, secret.id, secret.optional))
      spec.secret_env.emplace_back(secret.name, *value);
}

}  // namespace

VertexResult run_exec_step(const ExecEnvironment& environment, const Execution& execution,
                           const Vertex& vertex, const ExecOp& exec, const std::vector<VertexResult>& inputs,
                           std::stop_token stop) {
  const TempDir scratch(environment.store.temp_directory(), "run");
  ActiveSnapshot active = environment.store.snapshots().prepare(snapshot_of(root_mount(exec).input, inputs));
  SandboxSpec spec{
      .id = concat("slipway-", vertex.digest.short_hex(), "-", scratch.path().filename().native().substr(4)),
      .rootfs = active.root(),
      .scratch = scratch.path(),
      .args = exec.args,
      .env = exec.env,
      .cwd = exec.cwd,
      .user = exec.user,
      .network = exec.network,
      .execution = execution};
  std::ranges::transform(spec.id, spec.id.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const Mount& mount : exec.mounts)
    if (mount.dest != "/" && mount.type != MountType::Secret)
      throw InvalidInput(concat("the mount at ", mount.dest, " is of a type that is not supported"));
  add_proxy(exec.proxy, spec.env);
  add_secrets(environment.secrets, exec, spec);
  const SandboxResult result = environment.sandbox().run(
      spec,
      [&](int stream, std::string_view bytes) {
        environment.progress.emit(
            StepLog{.id = vertex.digest.str(), .stream = stream, .bytes = std::string(bytes)});
      },
      stop);
  if (result.exit_code != 0) throw BuildFailed(exit_message(exec, result.exit_code));
  return {.snapshot = environment.store.snapshots().commit(std::move(active), now_seconds())};
}

}  // namespace slipway
