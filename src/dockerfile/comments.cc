#include "dockerfile/comments.h"

#include <algorithm>

#include "base/strings.h"
#include "dockerfile/logical_lines.h"

namespace slipway::dockerfile {
namespace {

std::vector<std::string> read_upwards(const Dockerfile& file, const Instruction& instruction,
                                      bool over_empty_lines) {
  std::vector<std::string> out;
  const int first = file.directive_lines + 1;
  constexpr int kMostLines = 1000;
  const int highest = std::max(first, instruction.first_line - kMostLines);
  for (int line = instruction.first_line - 1; line >= highest; --line) {
    const std::string_view text = trim_blanks(file.lines[static_cast<std::size_t>(line) - 1]);
    if (text.empty() && over_empty_lines) continue;
    if (!text.starts_with('#')) break;
    const std::string_view comment = trim_blanks(text.substr(1));
    if (comment.empty()) break;
    out.emplace_back(comment);
  }
  std::ranges::reverse(out);
  return out;
}

}  // namespace

std::vector<std::string> comments_above(const Dockerfile& file, const Instruction& instruction) {
  return read_upwards(file, instruction, false);
}

std::string description_of(const Dockerfile& file, const Instruction& instruction, std::string_view name) {
  if (name.empty()) return {};
  for (const std::string& comment : comments_above(file, instruction))
    if (comment.starts_with(name) && comment.size() > name.size() && comment[name.size()] == ' ')
      return std::string(trim_blanks(std::string_view(comment).substr(name.size())));
  return {};
}

std::string check_above(const Dockerfile& file, const Instruction& instruction) {
  for (const std::string& comment : read_upwards(file, instruction, true)) {
    const std::size_t equals = comment.find('=');
    if (equals == std::string::npos) continue;
    const std::string_view text(comment);
    if (to_lower(trim_blanks(text.substr(0, equals))) != "check") continue;
    const std::string_view value = trim_blanks(text.substr(equals + 1));
    return std::string(value.substr(0, value.find(' ')));
  }
  return {};
}

}  // namespace slipway::dockerfile
