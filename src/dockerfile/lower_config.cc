// Instructions that change the config only, and WORKDIR, which also makes a directory.
#include <algorithm>
#include <charconv>
#include <set>

#include "base/strings.h"
#include "dockerfile/go_format.h"
#include "dockerfile/paths.h"
#include "dockerfile/ports.h"
#include "dockerfile/stage_lowering.h"

namespace slipway::dockerfile {
namespace {

constexpr std::size_t kMaxPath = 4095;

/// Any number but 0 may be one of some other system's.
std::optional<long> signal_number(std::string_view text) {
  if (text.starts_with('+') && text.size() > 1 && text[1] != '-') text.remove_prefix(1);
  long number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

const std::set<std::string_view>& signal_names() {
  static const std::set<std::string_view> kNames = {
      "ABRT", "ALRM", "BUS",  "CHLD", "CLD",  "CONT", "FPE",    "HUP",    "ILL",  "INT",  "IO",    "IOT",
      "KILL", "PIPE", "POLL", "PROF", "PWR",  "QUIT", "SEGV",   "STKFLT", "STOP", "SYS",  "TERM",  "TRAP",
      "TSTP", "TTIN", "TTOU", "URG",  "USR1", "USR2", "VTALRM", "WINCH",  "XCPU", "XFSZ", "RTMIN", "RTMAX"};
  return kNames;
}

bool is_signal(std::string_view text) {
  if (const std::optional<long> number = signal_number(text)) return *number != 0;
  std::string name = to_upper(text);
  if (name.starts_with("SIG")) name.erase(0, 3);
  if (signal_names().contains(name)) return true;
  if (!name.starts_with("RTMIN+") && !name.starts_with("RTMAX-")) return false;
  const std::optional<std::uint64_t> distance = parse_unsigned(std::string_view(name).substr(6));
  return distance && *distance >= 1 && *distance <= (name.starts_with("RTMIN") ? 15U : 14U);
}

std::optional<std::string> near_signal(std::string_view text) {
  std::vector<std::string> names;
  for (const std::string_view name : signal_names()) names.push_back(concat("SIG", name));
  return text.size() < 4 ? std::nullopt : closest_match(text, names);
}

}  // namespace

std::vector<std::string> StageLowering::with_shell(std::string text) const {
  std::vector<std::string> out = state_.config.config.shell;
  if (out.empty()) out = {"/bin/sh", "-c"};
  out.push_back(std::move(text));
  return out;
}

void StageLowering::operator()(const ArgCommand& command) {
  std::string created_by = "ARG";
  for (const ArgDeclaration& declaration : command.args) {
    const std::string& name = declaration.name.text;
    std::optional<std::string> value;
    lint().variable_name(name, declaration.name.offset);
    bool from_global = false;
    if (const auto given = build_.options.build_args.find(name); given != build_.options.build_args.end()) {
      value = given->second;
    } else if (declaration.value) {
      value = expand(*declaration.value);
    } else if (const auto global = lane_.globals.find(name); global != lane_.globals.end()) {
      value = global->second;
      from_global = true;
    }
    created_by += concat(" ", name);
    if (value) created_by += concat("=", *value);
    // Outlines are of the Dockerfile; a trigger's instruction is not in it.
    if (trigger_ == nullptr) build_.use_arg(lane_.target, {name, value, stage_.index, at_, from_global});
    state_.args.set(name, std::move(value), !is_builder_only_arg(name));
  }
  remember(std::move(created_by), false);
}

void StageLowering::operator()(const EnvCommand& command) {
  // One substitution for the whole instruction: no pair sees what another pair of it sets.
  std::vector<std::pair<std::string, std::string>> values;
  for (const KeyValue& pair : command.pairs) {
    std::string key = expand(pair.key);
    lint().pair(pair);
    lint().variable_name(key, pair.key.offset);
    std::string value = expand(pair.value);
    // A name out of variables may hold a "=": who reads the environment ends the name there.
    if (const std::size_t equals = key.find('='); equals != std::string::npos) {
      value.insert(0, concat(key.substr(equals + 1), "="));
      key.erase(equals);
    }
    values.emplace_back(std::move(key), std::move(value));
  }
  std::string created_by = "ENV";
  for (const auto& [key, value] : values) {
    created_by += concat(" ", key, "=", value);
    state_.env.set(key, value);
    state_.args.hide(key);
  }
  remember(std::move(created_by), false);
}

void StageLowering::operator()(const LabelCommand& command) {
  std::string created_by = "LABEL";
  for (const KeyValue& pair : command.pairs) {
    std::string key = expand(pair.key);
    lint().pair(pair);
    std::string value = expand(pair.value);
    created_by += concat(" ", key, "=", value);
    state_.config.config.labels.insert_or_assign(std::move(key), std::move(value));
  }
  remember(std::move(created_by), false);
}

void StageLowering::operator()(const WorkdirCommand& command) {
  const std::string written = expand(command.path);
  if (written.empty())
    build_.warn(shown_at(), "WORKDIR is empty once its variables have their values: it changes nothing");
  lint().workdir(written, !state_.workdir_set);
  state_.workdir_set = true;
  std::string& working_dir = state_.config.config.working_dir;
  working_dir = workdir_path(working_dir.empty() ? "/" : working_dir, written);
  if (working_dir.size() > kMaxPath)
    throw InvalidInput(
        concat("WORKDIR: the path has become longer than ", kMaxPath, " bytes, which Linux does not take"),
        build_.file.at(*at_, command.path.offset));
  const std::string path = clean_path(working_dir);
  // A path that is the root only once it is cleaned is made all the same, as a layer that changes nothing.
  const bool layer = working_dir != "/";
  if (layer) {
    MkdirAction mkdir;
    mkdir.path = path;
    const std::string& user = state_.config.config.user;
    mkdir.owner = user.empty() ? Owner{"0", "0"} : parse_owner(user);
    FileOpBuilder builder(state_.result);
    builder.add(std::move(mkdir));
    std::string name = concat(next_prefix(state_.platform), shown_instruction(lookup(), Quotes::Remove));
    state_.result = add(std::move(builder).op(), std::move(name));
  } else {
    ++step_;
  }
  remember(concat("WORKDIR ", working_dir), layer);
}

void StageLowering::operator()(const UserCommand& command) {
  std::string user = expand(command.user);
  if (user.empty())
    build_.warn(shown_at(), "USER is empty once its variables have their values: that is root");
  remember(concat("USER ", user), false);
  state_.config.config.user = std::move(user);
}

void StageLowering::operator()(const ExposeCommand& command) {
  // In the order of what was written, sorted: so other builders' histories have it.
  std::vector<const Word*> words;
  for (const Word& word : command.ports) words.push_back(&word);
  std::ranges::stable_sort(words, {}, [](const Word* word) -> const std::string& { return word->text; });
  std::vector<std::string> named;
  for (const Word* word : words) {
    const std::vector<std::string> texts = placed(
        word->offset, [&] { return expand_words(word->text, lookup(), build_.file.escape, build_.budget); });
    for (const std::string& text : texts) {
      lint().port(text, word->offset);
      const std::optional<ExposedPorts> ports = parse_exposed_ports(text);
      if (!ports)
        fail(word->offset, concat("\"", text, "\" is no port: EXPOSE takes PORT[-PORT][/tcp|udp|sctp]"));
      placed(word->offset, [&] { build_.budget.spend((ports->last - ports->first + 1) * 64); });
      for (unsigned port = ports->first; port <= ports->last; ++port)
        named.push_back(concat(port, "/", ports->protocol));
    }
  }
  std::vector<std::string>& exposed = state_.config.config.exposed_ports;
  std::set<std::string> all(exposed.begin(), exposed.end());
  all.insert(named.begin(), named.end());
  placed(0, [&] { build_.budget.spend(all.size() * 64); });
  exposed.assign(all.begin(), all.end());
  remember(concat("EXPOSE ", go_list(named)), false);
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
  remember(concat("VOLUME ", go_list(paths)), false);
}

void StageLowering::operator()(const StopSignalCommand& command) {
  std::string signal = expand(command.signal);
  if (!is_signal(signal)) {
    InvalidInput error(concat("\"", signal, "\" is no signal: a name like SIGTERM or a number from 1 to 64"),
                       source().at(*at_, command.signal.offset));
    if (const auto near = near_signal(signal)) error.set_hint(concat("did you mean ", *near, "?"));
    throw error;
  }
  if (const std::optional<long> number = signal_number(signal); number && (*number < 1 || *number > 64))
    build_.warn(shown_at(), concat("STOPSIGNAL ", signal, ": Linux has signals 1 to 64"));
  remember(concat("STOPSIGNAL ", signal), false);
  state_.config.config.stop_signal = std::move(signal);
}

void StageLowering::operator()(const MaintainerCommand& command) {
  state_.config.author = command.name;
  remember(concat("MAINTAINER ", command.name), false);
}

void StageLowering::operator()(const ShellCommand& command) {
  state_.config.config.shell = command.shell;
  remember(concat("SHELL ", go_list(command.shell)), false);
}

void StageLowering::operator()(const CmdCommand& command) {
  std::vector<std::string> args =
      command.line.shell ? with_shell(join(command.line.args, " ")) : command.line.args;
  lint().command_line(command.line, !state_.config.config.shell.empty());
  lint().last_one_counts();
  cmd_set_ = true;
  remember(concat("CMD ", go_quoted_list(args)), false);
  state_.config.config.cmd = std::move(args);
}

void StageLowering::operator()(const EntrypointCommand& command) {
  std::vector<std::string> args =
      command.line.shell ? with_shell(join(command.line.args, " ")) : command.line.args;
  lint().command_line(command.line, !state_.config.config.shell.empty());
  lint().last_one_counts();
  // A CMD that came with the base was meant for the base's entrypoint.
  if (!cmd_set_) state_.config.config.cmd.reset();
  remember(concat("ENTRYPOINT ", go_quoted_list(args)), false);
  state_.config.config.entrypoint = std::move(args);
}

void StageLowering::operator()(const HealthcheckCommand& command) {
  lint().last_one_counts();
  state_.config.config.healthcheck = command.check;
  const HealthCheck& check = command.check;
  remember(
      concat("HEALTHCHECK {Test:", go_list(check.test), " Interval:", go_duration(check.interval_ns),
             " Timeout:", go_duration(check.timeout_ns), " StartPeriod:", go_duration(check.start_period_ns),
             " StartInterval:", go_duration(check.start_interval_ns), " Retries:", check.retries, "}"),
      false);
}

void StageLowering::operator()(const OnbuildCommand& command) {
  state_.config.config.on_build.push_back(command.instruction);
}

}  // namespace slipway::dockerfile
