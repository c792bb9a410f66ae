#include "dockerfile/directives.h"

#include <cctype>
#include <optional>
#include <set>

#include "base/strings.h"
#include "dockerfile/logical_lines.h"

namespace slipway::dockerfile {
namespace {

struct Directive {
  std::string key;    ///< lower case
  std::string value;
  int column = 0;     ///< of the value
};

/// "# key = value", or nothing for any other line.
std::optional<Directive> parse_directive(std::string_view line) {
  std::size_t at = 0;
  const auto skip_blanks = [&] {
    while (at < line.size() && is_blank(line[at])) ++at;
  };
  skip_blanks();
  if (at == line.size() || line[at] != '#') return std::nullopt;
  ++at;
  skip_blanks();
  const std::size_t start = at;
  while (at < line.size() && std::isalnum(static_cast<unsigned char>(line[at]))) ++at;
  if (at == start || !std::isalpha(static_cast<unsigned char>(line[start]))) return std::nullopt;
  Directive out;
  out.key = to_lower(line.substr(start, at - start));
  skip_blanks();
  if (at == line.size() || line[at] != '=') return std::nullopt;
  ++at;
  skip_blanks();
  out.column = static_cast<int>(at) + 1;
  out.value = std::string(trim_blanks(line.substr(at)));
  if (out.value.empty()) return std::nullopt;
  return out;
}

}  // namespace

void read_directives(Dockerfile& file) {
  std::set<std::string> seen;
  for (std::size_t i = 0; i < file.lines.size(); ++i) {
    const std::optional<Directive> directive = parse_directive(file.lines[i]);
    const int line = static_cast<int>(i) + 1;
    // Anything else, an unknown key too, is a comment or an instruction and ends the directives.
    if (!directive) return;
    if (directive->key != "syntax" && directive->key != "escape" && directive->key != "check") return;
    if (!seen.insert(directive->key).second)
      throw InvalidInput(concat("the parser directive \"", directive->key, "\" is given twice; keep one"),
                         file.at(line, 1));
    file.directive_lines = line;
    if (directive->key == "syntax") file.syntax = directive->value;
    if (directive->key == "check") {
      file.check = directive->value;
      file.check_line = line;
      file.check_column = directive->column;
    }
    if (directive->key == "escape") {
      if (directive->value != "\\" && directive->value != "`")
        throw InvalidInput(concat("the escape character must be \\ or `, not \"", directive->value, "\""),
                           file.at(line, directive->column));
      file.escape = directive->value.front();
    }
  }
}

}  // namespace slipway::dockerfile
