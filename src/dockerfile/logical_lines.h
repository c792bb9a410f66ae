#pragma once
// From physical lines to logical ones: comments and blank lines dropped, continuations joined, places remembered.
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dockerfile/ast.h"

namespace slipway::dockerfile {

/// Blank as the Dockerfile language has it between words.
bool is_blank(char c);
std::string_view trim_blanks(std::string_view text);

struct LogicalLine {
  std::string text;              ///< begins with the keyword, no blanks at the end
  std::vector<TextSpan> spans;   ///< at least one
  int first_line = 0, last_line = 0;
};

/// Hands out one logical line after the other. Bodies of here-documents, once there are any, are physical lines that a
/// caller takes in between.
class LogicalLineReader {
 public:
  LogicalLineReader(const std::vector<std::string>& lines, char escape) : lines_(lines), escape_(escape) {}
  std::optional<LogicalLine> next();

 private:
  /// Appends the line from `from` on, without its continuation mark. True if there is one.
  bool append(LogicalLine& to, std::size_t line, std::size_t from) const;

  const std::vector<std::string>& lines_;
  char escape_;
  std::size_t at_ = 0;  ///< index of the next physical line
};

/// Line and column of text[offset].
std::pair<int, int> place_of(const std::vector<TextSpan>& spans, std::size_t offset);
/// The spans of text.substr(from).
std::vector<TextSpan> spans_from(const std::vector<TextSpan>& spans, std::size_t from);

}  // namespace slipway::dockerfile
