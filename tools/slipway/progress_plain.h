#pragma once
// Progress as lines, for pipes and logs, in the form people know from BuildKit:
//
//   #3 [linux/arm64 build 2/3] RUN make
//   #3 emulated by qemu-aarch64 7.2
//   #3 0.412 cc -c a.c
//   #3 DONE 1.2s
//
// Steps get their number when they start; the lines of steps that run at the same time are mixed, never torn.
#include <memory>

#include "base/progress.h"
#include "slipway/text_output.h"

namespace slipway {

/// Thread-safe. A step that never started and was skipped or cancelled leaves no line.
class PlainProgress final : public ProgressSink {
 public:
  /// `output` must live longer.
  explicit PlainProgress(TextOutput& output);
  ~PlainProgress() override;
  void on_event(const Event& event) noexcept override;
  /// Returns when all events so far are written.
  void flush() noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// "0.412": seconds with three digits, never negative.
std::string log_seconds(EventTime::duration elapsed);

}  // namespace slipway
