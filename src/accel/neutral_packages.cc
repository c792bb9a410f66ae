#include "accel/neutral_packages.h"

#include <fnmatch.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/strings.h"

namespace slipway {
namespace {

using nlohmann::json;

constexpr unsigned char kReviewed[] = {
#include "accel/neutral_packages.inc"
};

bool matches(const std::string& pattern, std::string_view text, int flags) {
  return ::fnmatch(pattern.c_str(), std::string(text).c_str(), flags) == 0;
}

/// Directories of programs are /usr/bin and /usr/sbin in the list; in a root whose /bin is its own directory
/// a package has the path there. And the other way round.
bool matches_path(const std::string& pattern, std::string_view path) {
  if (matches(pattern, path, FNM_PATHNAME)) return true;
  if (pattern.starts_with("/usr/")) return matches(pattern.substr(4), path, FNM_PATHNAME);
  return matches("/usr" + pattern, path, FNM_PATHNAME);
}

ArgumentRule read_rule(const json& value) {
  const auto kind = value.at("kind").get<std::string>();
  if (kind != "decline" && kind != "decline-variable")
    throw InvalidInput("a neutral program's rule can only decline");
  return {.kind = kind == "decline" ? ArgumentRule::Kind::Decline : ArgumentRule::Kind::DeclineVariable,
          .pattern = value.at("pattern").get<std::string>(),
          .with = {}};
}

NeutralPackage read_package(const json& value) {
  NeutralPackage package;
  for (const json& entry : value.at("programs")) {
    NeutralProgram program;
    program.pattern = entry.at("path").get<std::string>();
    if (entry.at("why").get<std::string>().empty()) throw InvalidInput(program.pattern + " has no reason");
    program.only_on = entry.value("only_on", std::vector<std::string>());
    program.is_retold = entry.value("retell", false);
    program.unsigned_chars = entry.value("unsigned_chars", CharFunctions());
    program.multi_call = entry.value("multi_call", "");
    program.declined_names = entry.value("declined_names", std::vector<std::string>());
    for (const json& rule : entry.value("rules", json::array())) program.rules.push_back(read_rule(rule));
    package.programs.push_back(std::move(program));
  }
  package.excluded = value.value("excluded", std::map<std::string, std::string>());
  return package;
}

}  // namespace

const std::string* NeutralPackage::exclusion(std::string_view path) const {
  for (const auto& [pattern, why] : excluded) {
    if (matches_path(pattern, path)) return &why;
  }
  return nullptr;
}

const NeutralProgram* NeutralPackage::program(std::string_view path,
                                              const std::vector<std::string>& architectures) const {
  const auto found = std::ranges::find_if(
      programs, [&](const NeutralProgram& program) { return matches_path(program.pattern, path); });
  if (found == programs.end()) return nullptr;
  const bool is_fit = found->only_on.empty() || std::ranges::all_of(architectures, [&](const auto& one) {
                        return std::ranges::find(found->only_on, one) != found->only_on.end();
                      });
  return is_fit ? &*found : nullptr;
}

const NeutralPackages& NeutralPackages::reviewed() {
  static const NeutralPackages kList = parse({reinterpret_cast<const char*>(kReviewed), sizeof kReviewed});
  return kList;
}

NeutralPackages NeutralPackages::parse(std::string_view text) {
  try {
    const json document = json::parse(text);
    if (document.at("schemaVersion") != 1)
      throw InvalidInput("the list of neutral packages is of another version");
    NeutralPackages list;
    for (const auto& [name, value] : document.at("dpkg").items())
      list.dpkg_.emplace(name, read_package(value));
    for (const auto& [name, value] : document.at("apk").items()) list.apk_.emplace(name, read_package(value));
    for (const json& value : document.value("declined_arguments", json::array())) {
      const ArgumentRule rule{
          .kind = ArgumentRule::Kind::Decline, .pattern = value.at("pattern").get<std::string>(), .with = {}};
      for (auto* packages : {&list.dpkg_, &list.apk_})
        for (auto& [name, package] : *packages)
          for (NeutralProgram& program : package.programs) program.rules.push_back(rule);
    }
    for (const auto& [name, value] : document.at("machines").items()) {
      list.machines_.emplace(
          name,
          MachineNames{
              .uname = value.at("uname"),
              .speaks_of = value.at("speaks_of").get<std::vector<std::string>>(),
              .spellings = value.at("spellings").get<std::map<std::string, std::vector<std::string>>>()});
    }
    for (const json& value : document.at("harmless_names")) list.harmless_.push_back(value.at("pattern"));
    return list;
  } catch (const json::exception& e) {
    throw InvalidInput(concat("the list of neutral packages: ", e.what()));
  }
}

const MachineNames* NeutralPackages::machine(std::string_view architecture) const {
  const auto found = machines_.find(architecture);
  return found == machines_.end() ? nullptr : &found->second;
}

bool NeutralPackages::is_harmless(std::string_view text) const {
  return std::ranges::any_of(harmless_,
                             [&](const std::string& pattern) { return matches(pattern, text, 0); });
}

}  // namespace slipway
