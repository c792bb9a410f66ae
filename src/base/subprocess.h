#pragma once
// Runs a program to its end: output streamed or captured, stopped by a stop_token. The only place that forks
// for exec.
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace slipway {

struct Command {
  std::vector<std::string> argv;                        ///< argv[0] is looked up in PATH
  std::optional<std::vector<std::string>> environment;  ///< KEY=VALUE; the caller's own if absent
  std::filesystem::path directory;                      ///< working directory; the caller's if empty
  std::string input;                                    ///< given on stdin; /dev/null if empty
  /// Called on the waiting thread with stream 1 or 2 and raw bytes. If absent, output is captured in the
  /// result.
  std::function<void(int stream, std::string_view bytes)> on_output;
  /// Called on the waiting thread with the child's id while it runs, first after 100 ms, and again after the
  /// time that it returns.
  std::function<std::chrono::milliseconds(pid_t child)> watch;
  /// Two named pipes that become the child's stdout and stderr, so that who opens them by name writes to the
  /// same place. Unnamed ones if absent.
  std::optional<std::pair<std::filesystem::path, std::filesystem::path>> output_fifos;
  /// Runs in the child between fork and exec. Only async-signal-safe calls; returns 0 or an errno, which ends
  /// the child with exit code 125 and a message on its stderr.
  std::function<int()> child_setup;
  std::vector<int> inherited;             ///< descriptors that the program finds open
  std::chrono::milliseconds grace{3000};  ///< between SIGTERM and SIGKILL when stopped
};

struct ProcessResult {
  int exit_code = 0;  ///< 128 + signal if it was killed
  int signal = 0;
  std::uint64_t peak_memory = 0;  ///< bytes: of the largest of its processes that were waited for, or of us
  std::string out;
  std::string err;
  bool ok() const { return exit_code == 0; }
};

/// Blocks until the program ended. Throws SystemError if it cannot be started, Cancelled (after the child is
/// gone) if `stop` was requested. Children die with the calling thread (PR_SET_PDEATHSIG), so call from
/// threads that outlive them.
ProcessResult run_process(const Command& command, std::stop_token stop = {});

/// Absolute path of a program in PATH (or /usr/sbin, /sbin, where users' PATHs often do not go), or nothing.
std::optional<std::filesystem::path> find_program(std::string_view name);

}  // namespace slipway
