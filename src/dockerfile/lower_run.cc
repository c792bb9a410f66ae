#include <algorithm>

#include "base/strings.h"
#include "dockerfile/paths.h"
#include "dockerfile/stage_lowering.h"
#include "dockerfile/words.h"

namespace slipway::dockerfile {
namespace {

constexpr const char* kScriptDirectory = "/dev/pipes";

/// True if the command is a here-document and nothing else: "<<EOF", "3<<-'EOF'".
bool is_only_heredoc(std::string_view text, const std::vector<Heredoc>& heredocs, char escape) {
  if (heredocs.size() != 1) return false;
  text = trim(text);
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') text.remove_prefix(1);
  if (!text.starts_with("<<")) return false;
  text.remove_prefix(text.starts_with("<<-") ? 3 : 2);
  return text.find('<') == std::string_view::npos && split_words(text, escape).size() == 1;
}

/// The body with the tabs that "<<-" took off: the shell takes them off itself.
std::string written_body(const Dockerfile& file, const Heredoc& heredoc) {
  if (!heredoc.strip_tabs) return heredoc.body;
  const auto first = static_cast<std::size_t>(heredoc.first_line) - 1;
  const auto count = static_cast<std::size_t>(std::ranges::count(heredoc.body, '\n'));
  if (first + count > file.lines.size()) return heredoc.body;
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += concat(file.lines[first + i], "\n");
  return out;
}

/// The first line, for a step's name.
std::string summary_of(std::string_view body) {
  body = trim(body);
  const std::size_t end = body.find_first_of("\r\n");
  return concat(body.substr(0, end), end == std::string_view::npos ? "" : "...");
}

}  // namespace

std::vector<std::string> StageLowering::run_environment() const {
  std::vector<std::string> out;
  const bool has_args = !state_.args.entries().empty();
  out.reserve(state_.env.entries().size() + state_.args.entries().size());
  for (const EnvList::Entry& entry : state_.env.entries()) {
    const auto arg = has_args ? state_.args.find(entry.name) : std::nullopt;
    out.push_back(concat(entry.name, "=", arg ? *arg : std::string_view(entry.value)));
  }
  for (const StageArg& arg : state_.args.entries())
    if (arg.value && arg.in_env && !state_.env.find(arg.name))
      out.push_back(concat(arg.name, "=", *arg.value));
  return out;
}

/// "RUN |1 VERSION=3 /bin/sh -c make": the form that other builders read build arguments from.
std::string StageLowering::run_history(const std::vector<std::string>& args) const {
  std::string out = "RUN ";
  if (!state_.args.entries().empty()) {
    out += concat("|", state_.args.entries().size(), " ");
    for (const StageArg& arg : state_.args.entries()) {
      const std::optional<std::string_view> seen = state_.find(arg.name);
      out += concat(arg.name, "=",
                    seen ? *seen : std::string_view(arg.value ? *arg.value : std::string_view{}), " ");
    }
  }
  return concat(out, join(args, " "), " # slipway");
}

std::string StageLowering::heredoc_file_name(const Heredoc& heredoc) const {
  std::string name = base_name(heredoc.name);
  if (name != heredoc.name || name == "." || name == "..")
    throw InvalidInput(concat("the here-document \"", heredoc.name,
                              "\" becomes a file of that name, so it may not have a \"/\" "
                              "in it, nor be \".\" or \"..\""),
                       source().at(*at_, 0));
  return name;
}

void StageLowering::add_script(const Heredoc& heredoc, Running& running) {
  MkfileAction file;
  file.path = concat("/", heredoc_file_name(heredoc));
  file.mode = 0755;
  file.data = heredoc.body;
  FileOpBuilder builder(std::nullopt);
  builder.add(std::move(file));
  Mount mount;
  mount.input = running.input(add_internal(std::move(builder).op(), "[internal] preparing inline document"));
  mount.dest = kScriptDirectory;
  mount.readonly = true;
  running.exec.mounts.push_back(std::move(mount));
}

std::vector<std::string> StageLowering::run_args(const RunCommand& command, Running& running,
                                                 std::string& shown) {
  if (!command.line.shell) return command.line.args;
  std::string text = join(command.line.args, " ");
  const std::vector<Heredoc>& heredocs = at_->heredocs;
  if (heredocs.empty()) return with_shell(std::move(text));
  if (is_only_heredoc(text, heredocs, build_.file.escape)) {
    const Heredoc& script = heredocs.front();
    shown = concat(" (", summary_of(script.body), ")");
    if (!script.body.starts_with("#!")) return with_shell(script.body);
    add_script(script, running);
    return with_shell(concat(kScriptDirectory, "/", script.name));
  }
  // The shell reads them itself.
  for (const Heredoc& heredoc : heredocs) text += concat("\n", written_body(source(), heredoc), heredoc.name);
  return with_shell(std::move(text));
}

int StageLowering::Running::input(const std::optional<Digest>& tree) {
  if (!tree) return kNoInput;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i].vertex == *tree) return static_cast<int>(i);
  inputs.push_back({*tree});
  return static_cast<int>(inputs.size()) - 1;
}

void StageLowering::operator()(const RunCommand& command) {
  placed(0, [&] {
    std::size_t bodies = 0;
    for (const Heredoc& heredoc : at_->heredocs) bodies += heredoc.body.size();
    // Each argument is looked up and copied for the environment and for the history, however short it is; so
    // is each variable, and each word of the shell's.
    constexpr std::size_t kVariable = 64, kArgument = 256, kWord = 64;
    build_.budget.spend(state_.env.bytes() + state_.env.entries().size() * kVariable + state_.args.bytes() +
                        state_.args.entries().size() * kArgument + state_.config.config.shell.size() * kWord +
                        at_->text.size() + bodies);
  });
  if (state_.env.find(""))
    fail(0,
         "a variable without a name is set, by the base image or an ENV whose name is empty once its "
         "variables have their values; no program can be run with it");
  Running running;
  ExecOp& exec = running.exec;
  exec.cwd = clean_path(working_dir());
  exec.user = state_.config.config.user;
  if (const auto& args = build_.options.build_args; args.contains("BUILDKIT_SANDBOX_HOSTNAME"))
    exec.hostname = args.at("BUILDKIT_SANDBOX_HOSTNAME");
  exec.network = command.network;
  exec.security = command.security;
  exec.devices = command.devices;
  exec.proxy = build_.proxy;
  exec.extra_hosts = build_.options.extra_hosts;
  exec.ulimits = build_.options.ulimits;
  exec.env = run_environment();

  Mount root;
  root.dest = "/";
  root.output = 0;
  root.input = running.input(state_.result);
  exec.mounts.push_back(std::move(root));
  std::string shown;
  exec.args = run_args(command, running, shown);
  if (build_.options.shm_size > 0) {
    Mount shm{.type = MountType::Tmpfs};
    shm.dest = "/dev/shm";
    shm.tmpfs_size = build_.options.shm_size;
    exec.mounts.push_back(std::move(shm));
  }
  for (const MountSpec& spec : command.mounts) add_mount(spec, running);
  // A mount below another one comes after it. Files come last, whatever they are in.
  const auto is_file = [](const Mount& mount) {
    return mount.type == MountType::Secret || mount.type == MountType::Ssh;
  };
  std::stable_sort(exec.mounts.begin() + 1, exec.mounts.end(), [&](const Mount& a, const Mount& b) {
    if (is_file(a) != is_file(b)) return is_file(b);
    return !is_file(a) && a.dest < b.dest;
  });

  std::string created_by = run_history(exec.args);
  const Lookup seen = [&](std::string_view name) -> std::optional<std::string_view> {
    for (const SecretEnv& secret : exec.secret_env)
      if (secret.name == name) return "****";
    return state_.find(name);
  };
  std::string name = next_prefix(state_.platform);
  name += concat(shown_instruction(seen, Quotes::Keep), shown);
  Op op;
  op.inputs = std::move(running.inputs);
  op.what = std::move(exec);
  op.platform = state_.platform;
  state_.result = add(std::move(op), std::move(name));
  remember(std::move(created_by), true);
}

}  // namespace slipway::dockerfile
