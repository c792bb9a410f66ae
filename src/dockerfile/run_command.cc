// RUN with its --mount, --network and the flags that are known but not there yet.
#include "base/strings.h"
#include "dockerfile/commands.h"
#include "dockerfile/flags.h"

namespace slipway::dockerfile {
namespace {

struct Option {
  std::string key;
  std::optional<std::string> value;
};

[[noreturn]] void refuse(const Dockerfile& file, const Flag& flag, std::string message) {
  throw InvalidInput(std::move(message), file.at(flag));
}

std::vector<Option> split_options(const Dockerfile& file, const Flag& flag) {
  std::vector<Option> out;
  std::vector<std::string> fields;
  try {
    fields = split_csv(flag.value);
  } catch (const UsageError& error) {
    refuse(file, flag, error.message());
  }
  for (const std::string& field : fields) {
    const std::size_t equals = field.find('=');
    Option option{to_lower(field.substr(0, equals)), std::nullopt};
    if (equals != std::string::npos) option.value = field.substr(equals + 1);
    out.push_back(std::move(option));
  }
  return out;
}

const std::string& value_of(const Dockerfile& file, const Flag& flag, const Option& option) {
  if (!option.value || option.value->empty())
    refuse(file, flag, concat("--mount: \"", option.key, "\" needs a value"));
  return *option.value;
}

bool bool_value(const Dockerfile& file, const Flag& flag, const Option& option) {
  if (!option.value) return true;
  const std::string text = to_lower(*option.value);
  if (text == "true" || text == "1" || text == "t") return true;
  if (text == "false" || text == "0" || text == "f") return false;
  refuse(file, flag, concat("--mount: \"", option.key, "\" is true or false, not \"", *option.value, "\""));
}

unsigned number_value(const Dockerfile& file, const Flag& flag, const Option& option, unsigned base, unsigned max) {
  const std::string& text = value_of(file, flag, option);
  std::uint64_t value = 0;
  for (char c : text) {
    if (c < '0' || c >= static_cast<char>('0' + base) || value > max)
      refuse(file, flag, concat("--mount: \"", option.key, "=", text, "\" is not ",
                                base == 8 ? "an octal mode of at most 07777" : "a number"));
    value = value * base + static_cast<unsigned>(c - '0');
  }
  if (value > max) refuse(file, flag, concat("--mount: \"", option.key, "=", text, "\" is too large"));
  return static_cast<unsigned>(value);
}

/// The type, which may stand anywhere among the options; bind without it.
std::string mount_type(const Dockerfile& file, const Flag& flag, const std::vector<Option>& options) {
  for (const Option& option : options)
    if (option.key == "type") return to_lower(value_of(file, flag, option));
  return "bind";
}

MountSpec read_secret(const Dockerfile& file, const Flag& flag, const std::vector<Option>& options) {
  static const std::vector<std::string> kKnown = {"type", "id",  "source", "src", "target", "dst", "destination",
                                                  "env",  "uid", "gid",    "mode", "required"};
  constexpr unsigned kMaxId = 0xFFFFFFFE;
  MountSpec out;
  out.flag = &flag;
  out.type = MountType::Secret;
  for (const Option& option : options) {
    const std::string& key = option.key;
    if (key == "type") continue;
    if (key == "id" || key == "source" || key == "src") {
      out.id = value_of(file, flag, option);
    } else if (key == "target" || key == "dst" || key == "destination") {
      out.target = value_of(file, flag, option);
    } else if (key == "env") {
      out.env = value_of(file, flag, option);
    } else if (key == "required") {
      out.required = bool_value(file, flag, option);
    } else if (key == "uid") {
      out.uid = number_value(file, flag, option, 10, kMaxId);
    } else if (key == "gid") {
      out.gid = number_value(file, flag, option, 10, kMaxId);
    } else if (key == "mode") {
      out.mode = number_value(file, flag, option, 8, 07777);
    } else {
      InvalidInput error(concat("--mount=type=secret does not know \"", key, "\""), file.at(flag));
      if (const auto near = closest_match(key, kKnown)) error.set_hint(concat("did you mean \"", *near, "\"?"));
      throw error;
    }
  }
  if (!out.id && !out.target) refuse(file, flag, "--mount=type=secret needs an id or a target");
  if (out.env && (out.env->find('=') != std::string::npos))
    refuse(file, flag, concat("--mount: \"", *out.env, "\" is no name of an environment variable"));
  return out;
}

MountSpec read_mount(const Dockerfile& file, const Flag& flag) {
  const std::vector<Option> options = split_options(file, flag);
  const std::string type = mount_type(file, flag, options);
  if (type == "secret") return read_secret(file, flag, options);
  static const std::vector<std::string> kTypes = {"bind", "cache", "tmpfs", "secret", "ssh"};
  for (const std::string& known : kTypes)
    if (type == known) refuse(file, flag, concat("RUN --mount=type=", type, " is not supported yet by this slipway"));
  InvalidInput error(concat("unknown mount type \"", type, "\""), file.at(flag));
  if (const auto near = closest_match(type, kTypes)) error.set_hint(concat("did you mean ", *near, "?"));
  throw error;
}

NetworkMode read_network(const Dockerfile& file, const Instruction& instruction) {
  const Flag* flag = find_flag(instruction, "network");
  if (flag == nullptr || flag->value == "default" || flag->value == "host") return NetworkMode::Host;
  if (flag->value == "none") return NetworkMode::None;
  refuse(file, *flag, concat("--network is default, none or host, not \"", flag->value, "\""));
}

}  // namespace

RunCommand read_run(const Dockerfile& file, const Instruction& instruction) {
  using Kind = FlagRule::Kind;
  check_flags(file, instruction,
              {{"mount", Kind::Values}, {"network"}, {"security", Kind::Unsupported}, {"device", Kind::Unsupported}});
  RunCommand out;
  out.line = read_command_line(file, instruction);
  out.network = read_network(file, instruction);
  for (const Flag* flag : find_flags(instruction, "mount")) out.mounts.push_back(read_mount(file, *flag));
  return out;
}

}  // namespace slipway::dockerfile
