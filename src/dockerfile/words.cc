#include "dockerfile/words.h"

#include "dockerfile/ast.h"
#include "dockerfile/logical_lines.h"
#include "dockerfile/spaces.h"

namespace slipway::dockerfile {

std::vector<Word> split_at_blanks(std::string_view text) {
  std::vector<Word> out;
  std::size_t at = 0;
  while (at < text.size()) {
    if (is_blank(text[at])) {
      ++at;
      continue;
    }
    const std::size_t start = at;
    while (at < text.size() && !is_blank(text[at])) ++at;
    out.push_back({std::string(text.substr(start, at - start)), start});
  }
  return out;
}

std::vector<Word> words_of(const Instruction& instruction) {
  if (!instruction.json) return split_at_blanks(instruction.text);
  std::vector<Word> out;
  for (const std::string& element : *instruction.json) out.push_back({element, 0});
  return out;
}

std::vector<Word> split_words(std::string_view text, char escape) {
  std::vector<Word> out;
  std::size_t at = 0;
  while (at < text.size()) {
    if (const std::size_t space = space_at(text, at)) {
      at += space;
      continue;
    }
    const std::size_t start = at;
    char quote = 0;
    while (at < text.size() && (quote != 0 || space_at(text, at) == 0)) {
      const char c = text[at];
      if (c == escape && quote != '\'') {
        at += at + 1 < text.size() ? 2 : 1;
        continue;
      }
      if (quote != 0) {
        if (c == quote) quote = 0;
      } else if (c == '\'' || c == '"') {
        quote = c;
      }
      ++at;
    }
    out.push_back({std::string(text.substr(start, at - start)), start});
  }
  return out;
}

}  // namespace slipway::dockerfile
