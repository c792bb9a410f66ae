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
      error_number_(error_number) {}

int exit_code_for(const Error& error) noexcept {
  if (dynamic_cast<const UsageError*>(&error)) return 2;
  if (dynamic_cast<const Denied*>(&error)) return 4;
  if (dynamic_cast<const TransportError*>(&error) || dynamic_cast<const IntegrityError*>(&error) ||
      dynamic_cast<const SystemError*>(&error) || dynamic_cast<const HostError*>(&error))
    return 3;
  return 1;
}

std::string position_of(const SourceLocation& at) {
  return at.column > 0 ? concat(at.file, ":", at.line, ":", at.column) : concat(at.file, ":", at.line);
}

std::string excerpt_of(const SourceLocation& at) {
  const std::string number = std::to_string(at.line);
  std::string out = concat("\n  ", number, " | ", at.line_text);
  if (at.column <= 0) return out;
  std::string pad;
  for (int i = 0; i + 1 < at.column && i < static_cast<int>(at.line_text.size()); ++i)
    pad += at.line_text[static_cast<std::size_t>(i)] == '\t' ? '\t' : ' ';
  return out + concat("\n  ", std::string(number.size(), ' '), " | ", pad, "^");
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
