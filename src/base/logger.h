#pragma once
// Lines for people who debug slipway. Not for what a user must know: that is progress (base/progress.h) or an
// error.
#include <string_view>

namespace slipway {

enum class LogLevel { Debug, Info, Warning };

/// Thread-safe; noexcept, so that logging never changes what happens.
class Logger {
 public:
  virtual ~Logger() = default;
  virtual void log(LogLevel level, std::string_view line) noexcept = 0;
};

/// Writes lines at or above `threshold` to stderr.
class StderrLogger final : public Logger {
 public:
  explicit StderrLogger(LogLevel threshold = LogLevel::Warning) : threshold_(threshold) {}
  void log(LogLevel level, std::string_view line) noexcept override;

 private:
  LogLevel threshold_;
};

/// For tests and for callers that want silence.
class NullLogger final : public Logger {
 public:
  void log(LogLevel, std::string_view) noexcept override {}
};

}  // namespace slipway
