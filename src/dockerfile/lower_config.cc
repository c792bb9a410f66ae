// Instructions that change the config only, and WORKDIR, which also makes a directory.
#include <algorithm>
#include <set>

#include "base/strings.h"
#include "dockerfile/paths.h"
#include "dockerfile/stage_lowering.h"

namespace slipway::dockerfile {
namespace {

struct PortRange {
  unsigned first = 0, last = 0;
  std::string protocol;
};

std::optional<unsigned> parse_port(std::string_view text) {
  const std::optional<std::uint64_t> number = parse_unsigned(text);
  if (!number || *number > 65535) return std::nullopt;
  return static_cast<unsigned>(*number);
}

/// PORT[-PORT][/PROTOCOL]
std::optional<PortRange> parse_ports(std::string_view text) {
  PortRange out;
  const std::size_t slash = text.find('/');
  out.protocol = slash == std::string_view::npos ? "tcp" : to_lower(text.substr(slash + 1));
  if (out.protocol != "tcp" && out.protocol != "udp" && out.protocol != "sctp") return std::nullopt;
  const std::string_view ports = text.substr(0, slash);
  const std::size_t dash = ports.find('-');
  const std::optional<unsigned> first = parse_port(ports.substr(0, dash));
  const std::optional<unsigned> last = dash == std::string_view::npos ? first : parse_port(ports.substr(dash + 1));
  if (!first || !last || *last < *first) return std::nullopt;
  out.first = *first;
  out.last = *last;
  return out;
}

bool is_signal(std::string_view text) {
  if (const std::optional<std::uint64_t> number = parse_unsigned(text)) return *number >= 1 && *number <= 64;
  static const std::set<std::string_view> kNames = {
      "ABRT", "ALRM", "BUS",  "CHLD", "CLD",  "CONT", "FPE",  "HUP",  "ILL",  "INT",    "IO",   "IOT",
      "KILL", "PIPE", "POLL", "PROF", "PWR",  "QUIT", "SEGV", "STKFLT", "STOP", "SYS",  "TERM", "TRAP",
      "TSTP", "TTIN", "TTOU", "URG",  "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN", "RTMAX"};
  std::string name = to_upper(text);
  if (name.starts_with("SIG")) name.erase(0, 3);
  if (kNames.contains(name)) return true;
  if (!name.starts_with("RTMIN+") && !name.starts_with("RTMAX-")) return false;
  const std::optional<std::uint64_t> distance = parse_unsigned(std::string_view(name).substr(6));
  return distance && *distance <= 30;
}

}  // namespace

void StageLowering::operator()(const ArgCommand& command) {
  std::string created_by = "ARG";
  for (const ArgDeclaration& declaration : command.args) {
    StageArg arg{declaration.name.text, std::nullopt};
    lint_.variable_name(arg.name, declaration.name.offset);
    bool from_global = false;
    if (const auto given = build_.options.build_args.find(arg.name); given != build_.options.build_args.end()) {
      arg.value = given->second;
    } else if (declaration.value) {
      arg.value = expand(*declaration.value);
    } else if (const auto global = lane_.globals.find(arg.name); global != lane_.globals.end()) {
      arg.value = global->second;
      from_global = true;
    }
    created_by += concat(" ", arg.name);
    if (arg.value) created_by += concat("=", *arg.value);
    build_.use_arg(lane_.target, {arg.name, arg.value, stage_.index, at_, from_global});
    state_.args.set(std::move(arg.name), std::move(arg.value));
  }
  remember(std::move(created_by), false);
}

void StageLowering::operator()(const EnvCommand& command) {
  // One substitution for the whole instruction: no pair sees what another pair of it sets.
  std::vector<std::pair<std::string, std::string>> values;
  for (const KeyValue& pair : command.pairs) {
    std::string key = expand(pair.key);
    if (key.empty()) fail(pair.key.offset, "ENV names may not be blank");
    lint_.pair(pair);
    lint_.variable_name(key, pair.key.offset);
    if (key.find('=') != std::string::npos) fail(pair.key.offset, "ENV names may not hold \"=\"");
    std::string value = expand(pair.value);
    values.emplace_back(std::move(key), std::move(value));
  }
  std::string created_by = "ENV";
  for (const auto& [key, value] : values) {
    created_by += concat(" ", key, "=", value);
    state_.env.set(key, value);
  }
  remember(std::move(created_by), false);
}

void StageLowering::operator()(const LabelCommand& command) {
  std::string created_by = "LABEL";
  for (const KeyValue& pair : command.pairs) {
    std::string key = expand(pair.key);
    if (key.empty()) fail(pair.key.offset, "LABEL names may not be blank");
    lint_.pair(pair);
    std::string value = expand(pair.value);
    created_by += concat(" ", key, "=", value);
    state_.config.config.labels.insert_or_assign(std::move(key), std::move(value));
  }
  remember(std::move(created_by), false);
}

void StageLowering::operator()(const WorkdirCommand& command) {
  const std::string written = expand(command.path);
  if (written.empty()) fail(command.path.offset, "WORKDIR is empty once its variables have their values");
  lint_.workdir(written, !state_.workdir_set);
  state_.workdir_set = true;
  const std::string path = resolve_path(working_dir(), written);
  state_.config.config.working_dir = path;
  const std::string prefix = next_prefix(state_.platform);
  if (path != "/") {
    MkdirAction mkdir;
    mkdir.path = path;
    const std::string& user = state_.config.config.user;
    mkdir.owner = user.empty() ? Owner{"0", "0"} : parse_owner(user);
    Op op;
    if (state_.result) {
      op.inputs.push_back({*state_.result});
      mkdir.base = 0;
    }
    op.what = FileOp{{std::move(mkdir)}};
    state_.result = add(std::move(op), concat(prefix, "WORKDIR ", written));
  }
  remember(concat("WORKDIR ", path), path != "/");
}

void StageLowering::operator()(const UserCommand& command) {
  std::string user = expand(command.user);
  if (user.empty()) fail(command.user.offset, "USER is empty once its variables have their values");
  remember(concat("USER ", user), false);
  state_.config.config.user = std::move(user);
}

void StageLowering::operator()(const ExposeCommand& command) {
  std::vector<std::string>& exposed = state_.config.config.exposed_ports;
  std::set<std::string> ports(exposed.begin(), exposed.end());
  std::vector<std::string> added;
  for (const Word& word : command.ports) {
    const std::vector<std::string> texts =
        placed(word.offset, [&] { return expand_words(word.text, lookup(), build_.file.escape, build_.budget); });
    for (const std::string& text : texts) {
      // Docker takes IP:HOST:CONTAINER here and keeps the container's port.
      const std::size_t colon = text.rfind(':');
      lint_.port(text, word.offset);
      const std::optional<PortRange> range = parse_ports(std::string_view(text).substr(colon == std::string::npos ? 0 : colon + 1));
      if (!range) fail(word.offset, concat("\"", text, "\" is no port: EXPOSE takes PORT[-PORT][/tcp|udp|sctp]"));
      for (unsigned port = range->first; port <= range->last; ++port) {
        std::string name = concat(port, "/", range->protocol);
        if (ports.insert(name).second) added.push_back(std::move(name));
      }
    }
  }
  placed(0, [&] { build_.budget.spend(ports.size() * 64); });
  exposed.assign(ports.begin(), ports.end());
  std::sort(added.begin(), added.end());
  remember(concat("EXPOSE [", join(added, " "), "]"), false);
}

void StageLowering::operator()(const VolumeCommand& command) {
  std::vector<std::string>& volumes = state_.config.config.volumes;
  std::set<std::string> known(volumes.begin(), volumes.end());
  std::vector<std::string> paths;
  for (const Word& word : command.paths) {
    std::string path = expand(word);
    if (path.empty()) fail(word.offset, "VOLUME: a path may not be empty");
    if (known.insert(path).second) volumes.push_back(path);
    paths.push_back(std::move(path));
  }
  placed(0, [&] { build_.budget.spend(known.size() * 8); });
  remember(concat("VOLUME [", join(paths, " "), "]"), false);
}

void StageLowering::operator()(const StopSignalCommand& command) {
  std::string signal = expand(command.signal);
  if (!is_signal(signal)) fail(command.signal.offset, concat("\"", signal, "\" is no signal: a name like SIGTERM or a number from 1 to 64"));
  remember(concat("STOPSIGNAL ", signal), false);
  state_.config.config.stop_signal = std::move(signal);
}

void StageLowering::operator()(const MaintainerCommand& command) {
  state_.config.author = command.name;
  remember(concat("MAINTAINER ", command.name), false);
}

void StageLowering::operator()(const ShellCommand& command) {
  state_.config.config.shell = command.shell;
  remember(concat("SHELL [", join(command.shell, " "), "]"), false);
}

void StageLowering::operator()(const CmdCommand& command) {
  std::vector<std::string> args = with_shell(command.line);
  lint_.command_line(command.line, !state_.config.config.shell.empty());
  lint_.last_one_counts();
  cmd_set_ = true;
  remember(concat("CMD ", quoted_list(args)), false);
  state_.config.config.cmd = std::move(args);
}

void StageLowering::operator()(const EntrypointCommand& command) {
  std::vector<std::string> args = with_shell(command.line);
  lint_.command_line(command.line, !state_.config.config.shell.empty());
  lint_.last_one_counts();
  // A CMD that came with the base was meant for the base's entrypoint.
  if (!cmd_set_) state_.config.config.cmd.reset();
  remember(concat("ENTRYPOINT ", quoted_list(args)), false);
  state_.config.config.entrypoint = std::move(args);
}

void StageLowering::operator()(const HealthcheckCommand& command) {
  lint_.last_one_counts();
  state_.config.config.healthcheck = command.check;
  remember(concat("HEALTHCHECK ", quoted_list(command.check.test)), false);
}

void StageLowering::operator()(const OnbuildCommand& command) {
  state_.config.config.on_build.push_back(command.instruction);
  remember(concat("ONBUILD ", command.instruction), false);
}

}  // namespace slipway::dockerfile
