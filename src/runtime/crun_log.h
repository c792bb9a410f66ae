#pragma once
// What crun says when the step's program did not start, told apart from a program that ran and failed.
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace slipway {

/// The messages of level "error" in crun's JSON log, joined; nothing if there is none.
std::optional<std::string> crun_errors(std::string_view log);

/// ETXTBSY at the step's own exec(2): some process has the program open for writing.
bool says_program_busy(std::string_view error);

/// The kernel gives no fresh /proc to a user namespace that sees only a part of one, as in most containers.
bool says_proc_refused(std::string_view error);

/// setrlimit(2) was refused: a limit of the step is above what this process may give.
bool refuses_limit(std::string_view error);

/// The step's working directory is none that a process can be in.
bool refuses_directory(std::string_view error, std::string_view directory);

/// A runtime that insists on a control group could have none.
bool wants_cgroups(std::string_view error);

struct StartFailure {
  int exit_code = 0;    ///< 127 not there, 126 not executable (as shells say it)
  std::string message;  ///< one line for people
};
/// If the error lies in the program that the step names: how a shell would put it. Nothing if crun itself
/// failed.
std::optional<StartFailure> start_failure(std::string_view error, std::string_view program);

/// Streams a step's output on. What crun 1.8 itself says when exec(2) fails comes on the step's stderr, as
/// one line in the form of its log, and runc repeats its error there; that is kept back, so that it can be
/// said in other words.
class StepOutput {
 public:
  using Sink = std::function<void(int stream, std::string_view bytes)>;
  explicit StepOutput(const Sink& sink) : sink_(sink) {}
  void add(int stream, std::string_view bytes);
  /// crun's error, if that is all there was on stderr; else what was kept back goes on its way.
  std::optional<std::string> finish();

 private:
  void pass(int stream, std::string_view bytes) const;
  void flush();
  const Sink& sink_;
  std::string held_;  ///< the whole of stderr so far, while it may be crun's line
  bool holding_ = true;
};

}  // namespace slipway
