#pragma once
// Keeps what the steps wrote: everything in files, the last lines in memory for error reports.
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/progress.h"

namespace slipway {

struct StepLogsOptions {
  /// Each step's output, raw, goes to DIRECTORY/<n>-<slug>.log (mode 0600), n counting steps as they start.
  /// Made when the first step writes something. Empty: no files.
  std::filesystem::path directory;
  std::size_t tail_lines = 20;
};

/// Thread-safe. A full disk costs the logs, not the build: it is said once as a Warned event.
class StepLogs final : public ProgressSink {
 public:
  /// `warnings` must live longer; it may be this object's own tee.
  StepLogs(StepLogsOptions options, ProgressSink& warnings);
  ~StepLogs() override;
  void on_event(const Event& event) noexcept override;

  /// The last lines of a step, clean for a terminal, the unfinished one included. Empty for a step that wrote
  /// nothing.
  std::vector<std::string> tail(const std::string& step_id) const;
  /// Where a step's log is; empty if it has none.
  std::filesystem::path file(const std::string& step_id) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// "[linux/arm64 build 2/3] RUN make" -> "linux-arm64-build-2-3-run": ASCII letters and digits, no path, nothing
/// of what is run, at most 60 characters, never empty.
std::string log_file_slug(std::string_view step_name);

}  // namespace slipway
