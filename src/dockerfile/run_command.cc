// RUN with its flags; --mount is in run_mount.cc.
#include "base/strings.h"
#include "dockerfile/commands.h"
#include "dockerfile/csv_fields.h"
#include "dockerfile/flags.h"
#include "dockerfile/text_error.h"

namespace slipway::dockerfile {
namespace {

[[noreturn]] void refuse_value(const Dockerfile& file, const Flag& flag, std::string_view what,
                               const std::vector<std::string>& known) {
  InvalidInput error(concat("--", flag.name, " is ", what, ", not \"", flag.value.substr(0, 80), "\""),
                     file.at(flag));
  if (const auto near = closest_match(flag.value, known)) error.set_hint(concat("did you mean ", *near, "?"));
  throw error;
}

NetworkMode read_network(const Dockerfile& file, const Instruction& instruction) {
  const Flag* flag = find_flag(instruction, "network");
  if (flag == nullptr || flag->value == "default") return NetworkMode::Sandbox;
  if (flag->value == "host") return NetworkMode::Host;
  if (flag->value == "none") return NetworkMode::None;
  refuse_value(file, *flag, "default, none or host", {"default", "none", "host"});
}

SecurityMode read_security(const Dockerfile& file, const Instruction& instruction) {
  const Flag* flag = find_flag(instruction, "security");
  if (flag == nullptr || flag->value == "sandbox") return SecurityMode::Sandbox;
  if (flag->value == "insecure") return SecurityMode::Insecure;
  refuse_value(file, *flag, "sandbox or insecure", {"sandbox", "insecure"});
}

/// --device=vendor.com/class=name,required
DeviceRequest read_device(const Dockerfile& file, const Flag& flag) {
  DeviceRequest out;
  bool required = false;
  const auto refuse = [&](const std::string& what) {
    throw InvalidInput(concat("--device: ", what), file.at(flag));
  };
  std::vector<std::string> fields;
  try {
    fields = csv_fields(flag.value);
  } catch (const TextError& error) {
    refuse(error.message());
  }
  for (const std::string& field : fields) {
    const std::size_t equals = field.find('=');
    const std::string key = to_lower(std::string_view(field).substr(0, equals));
    if (key == "required") {
      const std::string value =
          equals == std::string::npos ? "true" : to_lower(std::string_view(field).substr(equals + 1));
      required = value == "true" || value == "t" || value == "1";
      if (!required && value != "false" && value != "f" && value != "0")
        refuse(concat("\"required\" is true or false, not \"", value.substr(0, 80), "\""));
    } else if (key == "name" && equals != std::string::npos) {
      if (!out.name.empty()) refuse(concat("the name is already given: ", out.name));
      out.name = field.substr(equals + 1);
    } else if (out.name.empty()) {
      // The name of a device may hold a "=": vendor.com/class=name.
      out.name = field;
    } else {
      InvalidInput error(concat("--device does not know \"", field.substr(0, 80), "\""), file.at(flag));
      if (const auto near = closest_match(key, {"name", "required"}))
        error.set_hint(concat("did you mean \"", *near, "\"?"));
      throw error;
    }
  }
  if (out.name.empty()) refuse("a name is needed: --device=vendor.com/class=name");
  out.optional = !required;
  return out;
}

}  // namespace

RunCommand read_run(const Dockerfile& file, const Instruction& instruction) {
  using Kind = FlagRule::Kind;
  check_flags(file, instruction,
              {{"mount", Kind::Values}, {"network"}, {"security"}, {"device", Kind::Values}});
  RunCommand out;
  out.line = read_command_line(file, instruction);
  out.network = read_network(file, instruction);
  out.security = read_security(file, instruction);
  for (const Flag* flag : find_flags(instruction, "mount")) out.mounts.push_back(read_mount(file, *flag));
  for (const Flag* flag : find_flags(instruction, "device")) out.devices.push_back(read_device(file, *flag));
  return out;
}

}  // namespace slipway::dockerfile
