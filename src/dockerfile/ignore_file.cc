#include "dockerfile/ignore_file.h"

#include "base/strings.h"
#include "dockerfile/paths.h"
#include "dockerfile/spaces.h"

namespace slipway::dockerfile {

std::vector<std::string> read_ignore_file(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::vector<std::string> out;
  for (const std::string& line : split(text, '\n')) {
    // Looked at before trimming: " # x" is a pattern.
    if (line.starts_with('#')) continue;
    std::string_view pattern = trim_spaces(line);
    if (pattern.empty()) continue;
    const bool negated = pattern.front() == '!';
    if (negated) pattern = trim_spaces(pattern.substr(1));
    std::string cleaned;
    if (!pattern.empty()) {
      cleaned = clean_path(pattern);
      if (cleaned.size() > 1 && cleaned.front() == '/') cleaned.erase(0, 1);
    }
    out.push_back(negated ? concat("!", cleaned) : std::move(cleaned));
  }
  return out;
}

}  // namespace slipway::dockerfile
