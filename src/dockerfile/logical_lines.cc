#include "dockerfile/logical_lines.h"

#include <algorithm>

#include "dockerfile/spaces.h"

namespace slipway::dockerfile {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f' || c == '\n'; }

std::string_view trim_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

namespace {

bool is_comment_or_empty(std::string_view line) {
  const std::size_t start = leading_spaces(line);
  return start == line.size() || line[start] == '#';
}

}  // namespace

bool LogicalLineReader::append(LogicalLine& to, std::size_t line, std::size_t from) const {
  std::string_view piece = lines_[line].substr(from);
  // A line that gave no text needs no place, and there can be millions.
  if (!to.spans.empty() && to.spans.back().offset == to.text.size()) to.spans.pop_back();
  to.spans.push_back({to.text.size(), static_cast<int>(line) + 1, static_cast<int>(from) + 1});
  to.last_line = static_cast<int>(line) + 1;
  std::string_view end = piece;
  while (!end.empty() && (end.back() == ' ' || end.back() == '\t')) end.remove_suffix(1);
  // A doubled escape character is itself, not a continuation.
  const bool continued =
      !end.empty() && end.back() == escape_ && (end.size() == 1 || end[end.size() - 2] != escape_);
  if (continued) piece = end.substr(0, end.size() - 1);
  to.text += piece;
  return continued;
}

std::optional<LogicalLine> LogicalLineReader::next() {
  while (at_ < lines_.size() && is_comment_or_empty(lines_[at_])) ++at_;
  if (at_ == lines_.size()) return std::nullopt;
  LogicalLine out;
  out.first_line = static_cast<int>(at_) + 1;
  bool continued = append(out, at_, leading_spaces(lines_[at_]));
  ++at_;
  while (continued && at_ < lines_.size()) {
    // Comments and empty lines inside a continuation vanish; the continuation goes on after them.
    if (!is_comment_or_empty(lines_[at_])) continued = append(out, at_, 0);
    out.last_line = static_cast<int>(++at_);
  }
  return out;
}

std::optional<std::size_t> LogicalLineReader::take_line() {
  if (at_ == lines_.size()) return std::nullopt;
  return at_++;
}

std::pair<int, int> place_of(const std::vector<TextSpan>& spans, std::size_t offset) {
  if (spans.empty()) return {0, 0};
  auto after =
      std::upper_bound(spans.begin(), spans.end(), offset,
                       [](std::size_t wanted, const TextSpan& span) { return wanted < span.offset; });
  if (after == spans.begin()) return {spans.front().line, spans.front().column};
  const TextSpan& span = *std::prev(after);
  return {span.line, span.column + static_cast<int>(offset - span.offset)};
}

std::vector<TextSpan> spans_from(const std::vector<TextSpan>& spans, std::size_t from) {
  const auto [line, column] = place_of(spans, from);
  std::vector<TextSpan> out{{0, line, column}};
  for (const TextSpan& span : spans)
    if (span.offset > from) out.push_back({span.offset - from, span.line, span.column});
  return out;
}

}  // namespace slipway::dockerfile
