#include "base/error.h"

#include <algorithm>
#include <cstring>

#include "base/strings.h"

namespace slipway {

void Error::render() {
  rendered_.clear();
  for (auto it = contexts_.rbegin(); it != contexts_.rend(); ++it) rendered_ += *it + ": ";
  rendered_ += message_;
}

SystemError::SystemError(int error_number, std::string_view call, std::string_view object)
    : Error(object.empty() ? concat(call, ": ", std::strerror(error_number))
                           : concat(call, " ", object, ": ", std::strerror(error_number))),
      error_number_(error_number) {
  if (error_number == ENOSPC || error_number == EDQUOT)
    set_hint("Free some space there; `slipway prune` removes what the store need not keep.");
}

int exit_code_for(const Error& error) noexcept {
  if (dynamic_cast<const UsageError*>(&error)) return 2;
  if (dynamic_cast<const Denied*>(&error)) return 4;
  if (dynamic_cast<const TransportError*>(&error) || dynamic_cast<const IntegrityError*>(&error) ||
      dynamic_cast<const SystemError*>(&error) || dynamic_cast<const HostError*>(&error))
    return 3;
  return 1;
}

namespace {

constexpr std::size_t kExcerptBytes = 200;

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

struct CutLine {
  std::string text, caret;
};

/// The line, or what is around the column of a long one, and blanks up to a caret. Control characters, which
/// could play tricks on a terminal, are shown as "?".
CutLine cut_line(const SourceLocation& at) {
  std::string_view line = at.line_text;
  std::size_t column = at.column > 0 ? std::min(static_cast<std::size_t>(at.column) - 1, line.size()) : 0;
  CutLine out;
  bool cut_end = false;
  if (line.size() > kExcerptBytes) {
    std::size_t start = column > kExcerptBytes / 2 ? column - kExcerptBytes / 2 : 0;
    while (start > 0 && continues_character(line[start])) --start;
    std::size_t end = std::min(start + kExcerptBytes, line.size());
    while (end < line.size() && continues_character(line[end])) --end;
    cut_end = end < line.size();
    line = line.substr(start, end - start);
    column -= start;
    if (start > 0) {
      out.text = "…";
      out.caret = " ";
    }
  }
  for (std::size_t i = 0; i < line.size(); ++i) {
    const auto c = static_cast<unsigned char>(line[i]);
    out.text += (c < ' ' && c != '\t') || c == 0x7F ? '?' : line[i];
    if (i < column && !continues_character(line[i])) out.caret += c == '\t' ? '\t' : ' ';
  }
  if (cut_end) out.text += "…";
  out.caret += '^';
  return out;
}

}  // namespace

std::string position_of(const SourceLocation& at) {
  return at.column > 0 ? concat(at.file, ":", at.line, ":", at.column) : concat(at.file, ":", at.line);
}

std::string excerpt_of(const SourceLocation& at) {
  const std::string number = std::to_string(at.line);
  const auto [text, caret] = cut_line(at);
  std::string out = concat("\n  ", number, " | ", text);
  if (at.column > 0) out += concat("\n  ", std::string(number.size(), ' '), " | ", caret);
  return out;
}

std::string describe(const Error& error) {
  std::string out = error.what();
  if (const auto* failed = dynamic_cast<const BuildFailed*>(&error))
    for (const std::string& line : failed->log_tail()) out += concat("\n    | ", line);
  if (const auto* located = dynamic_cast<const LocatedError*>(&error); located && located->location())
    out = concat(position_of(*located->location()), ": ", out, excerpt_of(*located->location()));
  if (!error.hint().empty()) out += concat("\n  hint: ", error.hint());
  return out;
}

}  // namespace slipway
