#pragma once
// From physical lines to logical ones: comments and blank lines dropped, continuations joined, places
// remembered.
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
  std::string text;  ///< blanks at its end are still there; some at its start if it begins with "\\" alone
  std::vector<TextSpan> spans;  ///< at least one
  int first_line = 0, last_line = 0;
};

/// Hands out one logical line after the other. Bodies of here-documents are physical lines, taken in between.
class LogicalLineReader {
 public:
  /// `lines` must outlive the reader.
  LogicalLineReader(const std::vector<std::string_view>& lines, char escape)
      : lines_(lines), escape_(escape) {}
  std::optional<LogicalLine> next();
  /// The index of the next physical line, which is passed over; nothing at the end.
  std::optional<std::size_t> take_line();

 private:
  /// Appends the line from `from` on, without its continuation mark. True if there is one.
  bool append(LogicalLine& to, std::size_t line, std::size_t from) const;

  const std::vector<std::string_view>& lines_;
  char escape_;
  std::size_t at_ = 0;  ///< index of the next physical line
};

/// Line and column of text[offset].
std::pair<int, int> place_of(const std::vector<TextSpan>& spans, std::size_t offset);
/// The spans of text.substr(from).
std::vector<TextSpan> spans_from(const std::vector<TextSpan>& spans, std::size_t from);

}  // namespace slipway::dockerfile
