#include "dockerfile/lint_options.h"

#include <algorithm>
#include <optional>

#include "base/strings.h"
#include "dockerfile/text_error.h"

namespace slipway::dockerfile {
namespace {

/// As Go's strconv.ParseBool reads it.
std::optional<bool> parse_bool(std::string_view text) {
  for (std::string_view yes : {"1", "t", "T", "true", "TRUE", "True"})
    if (text == yes) return true;
  for (std::string_view no : {"0", "f", "F", "false", "FALSE", "False"})
    if (text == no) return false;
  return std::nullopt;
}

void check_name(const std::string& name, std::vector<std::string>& unknown) {
  std::vector<std::string> known;
  for (const LintRule* rule : rules::kAll) known.emplace_back(rule->name);
  if (std::ranges::find(known, name) != known.end()) return;
  std::string line = concat("check: there is no rule \"", name.substr(0, 80), "\"");
  if (const auto near = closest_match(name, known)) line += concat(" (did you mean ", *near, "?)");
  unknown.push_back(std::move(line));
}

/// "all", or names.
void read_names(std::string_view value, bool& all, std::set<std::string, std::less<>>& names,
                std::vector<std::string>* unknown) {
  if (value == "all") {
    all = true;
    return;
  }
  for (const std::string& part : split(value, ',')) {
    const std::string name(trim(part));
    if (name.empty()) continue;
    if (unknown != nullptr) check_name(name, *unknown);
    names.insert(name);
  }
}

}  // namespace

bool LintOptions::wants(const LintRule& rule) const {
  if (rule.experimental) return experimental_all || experimental.contains(rule.name);
  return !skip_all && !skip.contains(rule.name);
}

void LintOptions::merge(const LintOptions& other) {
  skip_all = skip_all || other.skip_all;
  experimental_all = experimental_all || other.experimental_all;
  skip.insert(other.skip.begin(), other.skip.end());
  experimental.insert(other.experimental.begin(), other.experimental.end());
}

LintOptions parse_lint_options(std::string_view text, std::vector<std::string>* unknown) {
  LintOptions out;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find(';', at), text.size());
    const std::string_view part = text.substr(at, end - at);
    const std::size_t start = at;
    at = end + 1;
    if (trim(part).empty()) continue;
    const std::size_t equals = part.find('=');
    const std::string_view key = trim(part.substr(0, equals));
    if (equals == std::string_view::npos || (key != "skip" && key != "error" && key != "experimental"))
      throw TextError(
          concat("check: \"", trim(part), "\" is none of skip=RULE,…, error=true and experimental=RULE,…"),
          start);
    const std::string_view value = trim(part.substr(equals + 1));
    if (key == "skip") {
      read_names(value, out.skip_all, out.skip, unknown);
    } else if (key == "experimental") {
      read_names(value, out.experimental_all, out.experimental, unknown);
    } else {
      const std::optional<bool> error = parse_bool(value);
      if (!error) throw TextError(concat("check: error is true or false, not \"", value, "\""), start);
      out.error = *error;
    }
  }
  return out;
}

}  // namespace slipway::dockerfile
