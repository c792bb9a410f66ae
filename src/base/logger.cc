#include "base/logger.h"

#include <unistd.h>

#include <string>

namespace slipway {

void StderrLogger::log(LogLevel level, std::string_view line) noexcept {
  if (level < threshold_) return;
  try {
    std::string text = level == LogLevel::Warning ? "WARNING: " : level == LogLevel::Info ? "" : "debug: ";
    text += line;
    text += '\n';
    // One write a line: lines of several threads do not mix.
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
  } catch (...) {
  }
}

}  // namespace slipway
