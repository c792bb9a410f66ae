#include "dockerfile/build_args.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/strings.h"

namespace slipway::dockerfile {
namespace {

constexpr std::array<std::string_view, 5> kProxyNames = {"http_proxy", "https_proxy", "ftp_proxy", "no_proxy",
                                                         "all_proxy"};
constexpr std::array<std::string_view, 11> kPlatformNames = {
    "BUILDPLATFORM", "BUILDOS",    "BUILDARCH",     "BUILDVARIANT",    "BUILDOSVERSION", "TARGETPLATFORM",
    "TARGETOS",      "TARGETARCH", "TARGETVARIANT", "TARGETOSVERSION", "TARGETSTAGE"};

bool is_predefined(std::string_view name) {
  return is_proxy_arg(name) || name == "SOURCE_DATE_EPOCH" || name.starts_with("BUILDKIT_") ||
         std::find(kPlatformNames.begin(), kPlatformNames.end(), name) != kPlatformNames.end();
}

}  // namespace

bool is_proxy_arg(std::string_view name) {
  const std::string lower = to_lower(name);
  // All upper or all lower case, as programs read them.
  return (name == lower || name == to_upper(name)) &&
         std::find(kProxyNames.begin(), kProxyNames.end(), lower) != kProxyNames.end();
}

bool is_builder_only_arg(std::string_view name) {
  return name == "BUILDKIT_SBOM_SCAN_CONTEXT" || name == "BUILDKIT_SBOM_SCAN_STAGE";
}

std::optional<ProxyEnv> proxy_of(const LowerOptions& options) {
  ProxyEnv out = options.proxy.value_or(ProxyEnv{});
  // Upper case sorts first, so that the lower-case form, which more programs read, wins.
  for (const auto& [name, value] : options.build_args) {
    if (!is_proxy_arg(name)) continue;
    const std::string lower = to_lower(name);
    if (lower == "http_proxy") out.http_proxy = value;
    if (lower == "https_proxy") out.https_proxy = value;
    if (lower == "ftp_proxy") out.ftp_proxy = value;
    if (lower == "no_proxy") out.no_proxy = value;
    if (lower == "all_proxy") out.all_proxy = value;
  }
  if (out == ProxyEnv{}) return std::nullopt;
  return out;
}

ArgMap platform_args(const Platform& target, const Platform& build, std::string_view stage_name) {
  ArgMap out;
  const auto add = [&out](const std::string& prefix, const Platform& platform) {
    out[prefix + "PLATFORM"] = platform.str();
    out[prefix + "OS"] = platform.os();
    out[prefix + "OSVERSION"] = platform.os_version();
    out[prefix + "ARCH"] = platform.architecture();
    out[prefix + "VARIANT"] = platform.variant();
  };
  add("BUILD", build);
  add("TARGET", target);
  out["TARGETSTAGE"] = stage_name.empty() ? "default" : std::string(stage_name);
  return out;
}

ArgMap global_args(const Dockerfile& file, const Program& program, const LowerOptions& options,
                   ArgMap platform, TextBudget& budget) {
  ArgMap out = std::move(platform);
  for (auto& [name, value] : out)
    if (const auto given = options.build_args.find(name); given != options.build_args.end())
      value = given->second;
  const Lookup lookup = [&out](std::string_view name) -> std::optional<std::string_view> {
    const auto known = out.find(name);
    if (known == out.end()) return std::nullopt;
    return known->second;
  };
  for (const GlobalArg& arg : program.global_args) {
    const std::string& name = arg.declaration.name.text;
    if (const auto given = options.build_args.find(name); given != options.build_args.end()) {
      out[name] = given->second;
    } else if (const std::optional<Word>& value = arg.declaration.value) {
      try {
        out[name] = expand_word(value->text, lookup, file.escape, budget);
      } catch (const TextError& error) {
        throw InvalidInput(error.message(), file.at(*arg.at, value->offset + error.offset()));
      }
    }
  }
  return out;
}

std::vector<std::string> unused_arg_warnings(const Program& program, const Triggers& triggers,
                                             const LowerOptions& options) {
  std::set<std::string> declared;
  const auto note = [&declared](const StageCommand& command) {
    if (const auto* args = std::get_if<ArgCommand>(&command.what))
      for (const ArgDeclaration& arg : args->args) declared.insert(arg.name.text);
  };
  for (const GlobalArg& arg : program.global_args) declared.insert(arg.declaration.name.text);
  for (const Stage& stage : program.stages)
    for (const StageCommand& command : stage.commands) note(command);
  for (const auto& [text, trigger] : triggers.all()) note(trigger->command());
  std::vector<std::string> out;
  const std::vector<std::string> names(declared.begin(), declared.end());
  for (const auto& [name, value] : options.build_args) {
    if (is_predefined(name) || declared.contains(name)) continue;
    std::string line = concat("build argument ", name, " is not used: no ARG in the Dockerfile declares it");
    if (const auto near = closest_match(name, names)) line += concat(" (did you mean ", *near, "?)");
    out.push_back(std::move(line));
  }
  return out;
}

}  // namespace slipway::dockerfile
