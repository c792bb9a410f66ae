#pragma once
// The errors of slipway: a small hierarchy in which each type is tied to what its catcher does.
// Not for a step's failure (that is data, scheduler/outcome.h) and not for what a caller normally
// branches on (return optional or bool there).
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slipway {

/// Base of all errors. what() is one line: the contexts, outermost first, then the message.
class Error : public std::exception {
 public:
  explicit Error(std::string message) : message_(std::move(message)) { render(); }
  const char* what() const noexcept override { return rendered_.c_str(); }

  /// Called while unwinding, at module boundaries only: `catch (Error& e) { e.add_context("pulling X");
  /// throw; }`.
  void add_context(std::string_view context) {
    contexts_.emplace_back(context);
    render();
  }
  const std::string& message() const { return message_; }
  /// What to do about it, printed on a line of its own; empty if there is nothing useful to say.
  const std::string& hint() const { return hint_; }
  void set_hint(std::string hint) { hint_ = std::move(hint); }
  virtual bool retryable() const { return false; }

 private:
  void render();
  std::string message_;
  std::string hint_;
  std::string rendered_;
  std::vector<std::string> contexts_;
};

/// The caller's flags or configuration are wrong: exit 2.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// Where in a text file something is wrong. Lines and columns count from 1; column 0 means the whole line.
struct SourceLocation {
  std::string file;
  int line = 0;
  int column = 0;
  std::string line_text;  ///< the line itself, shown with a caret under `column`
  bool operator==(const SourceLocation&) const = default;
};

/// An error that may have a place in a text file.
class LocatedError : public Error {
 public:
  explicit LocatedError(std::string message) : Error(std::move(message)) {}
  LocatedError(std::string message, SourceLocation where)
      : Error(std::move(message)), location_(std::move(where)) {}
  const std::optional<SourceLocation>& location() const { return location_; }
  void set_location(SourceLocation where) { location_ = std::move(where); }

 private:
  std::optional<SourceLocation> location_;
};

/// A malformed Dockerfile, manifest, reference or layer: exit 1, the location is shown.
class InvalidInput : public LocatedError {
 public:
  using LocatedError::LocatedError;
};

/// The registry or the store does not have it: try the next source, or exit 1.
class NotFound : public Error {
 public:
  using Error::Error;
};

/// The registry refused (401, 403): exit 4 with a login hint.
class Denied : public Error {
 public:
  using Error::Error;
};

/// The network or a node failed. `status` is the HTTP status, 0 where there was none. Exit 3.
class TransportError : public Error {
 public:
  TransportError(std::string message, bool retryable, int status = 0)
      : Error(std::move(message)), retryable_(retryable), status_(status) {}
  bool retryable() const override { return retryable_; }
  int status() const { return status_; }

 private:
  bool retryable_;
  int status_;
};

/// Bytes are not what their digest or size says: never retried silently. Exit 3.
class IntegrityError : public Error {
 public:
  using Error::Error;
};

/// The host lacks something a build needs (an emulator, a runtime, a kernel feature). Exit 3.
class HostError : public Error {
 public:
  using Error::Error;
};

/// A system call failed. Exit 3.
class SystemError : public Error {
 public:
  SystemError(int error_number, std::string_view call, std::string_view object = {});
  int error_number() const { return error_number_; }

 private:
  int error_number_;
};

/// A build step ran and failed. Exit 1.
class BuildFailed : public LocatedError {
 public:
  using LocatedError::LocatedError;
  /// The last lines that the step wrote, shown under the message.
  const std::vector<std::string>& log_tail() const { return log_tail_; }
  void set_log_tail(std::vector<std::string> lines) { log_tail_ = std::move(lines); }

 private:
  std::vector<std::string> log_tail_;
};

/// The user stopped it. Not an Error, so that `catch (const Error&)` never swallows it. Exit 130.
class Cancelled : public std::exception {
 public:
  const char* what() const noexcept override { return "cancelled"; }
};

/// The documented exit code for an error: 1 build, 2 usage, 3 infrastructure, 4 authentication.
int exit_code_for(const Error& error) noexcept;

/// "FILE:LINE:COLUMN", without the column if there is none.
std::string position_of(const SourceLocation& at);
/// The line with its number, and a caret under the column if there is one: "\n  3 | RUN x\n    |     ^".
std::string excerpt_of(const SourceLocation& at);

/// The message as printed on stderr: what, the source line with a caret, the hint. No trailing newline.
std::string describe(const Error& error);

}  // namespace slipway
