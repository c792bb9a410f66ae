#include "base/strings.h"
#include "dockerfile/paths.h"
#include "dockerfile/stage_lowering.h"

namespace slipway::dockerfile {
namespace {

std::string written_flags(const Instruction& instruction) {
  std::string out;
  for (const Flag& flag : instruction.flags) out += concat("--", flag.name, flag.has_value ? "=" : "", flag.value, " ");
  return out;
}

}  // namespace

std::vector<std::string> StageLowering::with_shell(const CommandLine& line) const {
  if (!line.shell) return line.args;
  std::vector<std::string> out = state_.config.config.shell;
  if (out.empty()) out = {"/bin/sh", "-c"};
  out.push_back(join(line.args, " "));
  return out;
}

std::vector<std::string> StageLowering::run_environment() const {
  EnvList env = state_.env;
  for (const StageArg& arg : state_.args.entries())
    if (arg.value && !state_.env.find(arg.name)) env.set(arg.name, *arg.value);
  return env.strings();
}

/// "RUN |1 VERSION=3 /bin/sh -c make": the form that other builders read build arguments from.
std::string StageLowering::run_history(const std::vector<std::string>& args) const {
  std::string out = "RUN ";
  if (!state_.args.entries().empty()) {
    out += concat("|", state_.args.entries().size(), " ");
    for (const StageArg& arg : state_.args.entries()) {
      const std::optional<std::string_view> env = state_.env.find(arg.name);
      out += concat(arg.name, "=", env ? *env : std::string_view(arg.value ? *arg.value : std::string_view{}), " ");
    }
  }
  return concat(out, join(args, " "), " # slipway");
}

void StageLowering::add_secret(const MountSpec& spec, ExecOp& exec) {
  std::optional<std::string> target;
  if (spec.target) target = expand(*spec.flag, *spec.target);
  std::string id = spec.id ? expand(*spec.flag, *spec.id) : base_name(*target);
  if (id.empty()) throw InvalidInput("--mount=type=secret: the id is empty", build_.file.at(*spec.flag));
  if (spec.env) exec.secret_env.push_back({id, *spec.env, !spec.required});
  // A secret for the environment is no file too, unless one is asked for.
  if (spec.env && !target) return;
  Mount mount;
  mount.type = MountType::Secret;
  mount.dest = target ? resolve_path(working_dir(), *target) : concat("/run/secrets/", base_name(id));
  if (mount.dest == "/")
    throw InvalidInput("--mount=type=secret: the target may not be the root", build_.file.at(*spec.flag));
  mount.secret = SecretMount{std::move(id), spec.uid.value_or(0), spec.gid.value_or(0), spec.mode.value_or(0400),
                             !spec.required};
  exec.mounts.push_back(std::move(mount));
}

void StageLowering::operator()(const RunCommand& command) {
  ExecOp exec;
  exec.args = with_shell(command.line);
  exec.env = run_environment();
  placed(0, [&] { build_.budget.spend(state_.env.bytes() + state_.args.bytes() + at_->text.size()); });
  exec.cwd = working_dir();
  exec.user = state_.config.config.user;
  exec.network = command.network;
  exec.proxy = build_.proxy;

  Op op;
  Mount root;
  root.dest = "/";
  root.output = 0;
  if (state_.result) {
    op.inputs.push_back({*state_.result});
    root.input = 0;
  }
  exec.mounts.push_back(std::move(root));
  for (const MountSpec& spec : command.mounts) add_secret(spec, exec);

  std::string created_by = run_history(exec.args);
  std::string name = concat(next_prefix(state_.platform), "RUN ", written_flags(*at_), join(command.line.args, " "));
  op.what = std::move(exec);
  op.platform = state_.platform;
  state_.result = add(std::move(op), std::move(name));
  remember(std::move(created_by), true);
}

}  // namespace slipway::dockerfile
