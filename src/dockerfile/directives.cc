#include "dockerfile/directives.h"

#include <cctype>
#include <optional>
#include <set>

#include "base/strings.h"
#include "dockerfile/spaces.h"

namespace slipway::dockerfile {
namespace {

struct Directive {
  std::string key;  ///< lower case
  std::string value;
  int column = 0;  ///< of the value
};

/// "# key = value", or nothing for any other line.
std::optional<Directive> parse_directive(std::string_view line) {
  std::size_t at = leading_spaces(line);
  if (at == line.size() || line[at] != '#') return std::nullopt;
  ++at;
  at += leading_spaces(line.substr(at));
  const std::size_t start = at;
  while (at < line.size() && std::isalnum(static_cast<unsigned char>(line[at]))) ++at;
  if (at == start || !std::isalpha(static_cast<unsigned char>(line[start]))) return std::nullopt;
  Directive out;
  out.key = to_lower(line.substr(start, at - start));
  at += leading_spaces(line.substr(at));
  if (at == line.size() || line[at] != '=') return std::nullopt;
  ++at;
  at += leading_spaces(line.substr(at));
  out.column = static_cast<int>(at) + 1;
  out.value = std::string(trim_spaces(line.substr(at)));
  if (out.value.empty()) return std::nullopt;
  return out;
}

/// An unknown key is a comment to the language; one that is nearly known is more likely a slip.
void warn_of_near_miss(Dockerfile& file, const std::string& key, int line) {
  static const std::vector<std::string> kKnown = {"syntax", "escape", "check"};
  if (const auto near = closest_match(key, kKnown))
    file.warnings.push_back(concat(file.filename, ":", line, ": \"# ", key,
                                   "=\" is a comment, not a directive; did you mean ", *near, "?"));
}

}  // namespace

void read_directives(Dockerfile& file) {
  // After "#!" only those that are for tools which look at the file from outside count.
  const bool shebang = !file.lines.empty() && file.lines.front().starts_with("#!");
  std::set<std::string> seen;
  for (std::size_t i = shebang ? 1 : 0; i < file.lines.size(); ++i) {
    const std::optional<Directive> directive = parse_directive(file.lines[i]);
    const int line = static_cast<int>(i) + 1;
    // Anything else, an unknown key too, is a comment or an instruction and ends the directives.
    if (!directive) return;
    const std::string& key = directive->key;
    if (key != "syntax" && key != "escape" && key != "check") return warn_of_near_miss(file, key, line);
    if (!seen.insert(key).second)
      throw InvalidInput(concat("the parser directive \"", key, "\" is given twice; keep one"),
                         file.at(line, 1));
    file.directive_lines = line;
    if (key == "syntax") file.syntax = directive->value;
    if (key == "check") {
      file.check = directive->value;
      file.check_line = line;
      file.check_column = directive->column;
    }
    if (key != "escape") continue;
    if (shebang) {
      file.warnings.push_back(
          concat(file.filename, ":", line, ": \"# escape=\" has no effect after a \"#!\" line"));
      continue;
    }
    if (directive->value != "\\" && directive->value != "`")
      throw InvalidInput(concat("the escape character must be \\ or `, not \"", directive->value, "\""),
                         file.at(line, directive->column));
    file.escape = directive->value.front();
  }
}

}  // namespace slipway::dockerfile
