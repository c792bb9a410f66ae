#pragma once
// Progress as JSON, one object a line, for programs. Field names, times (RFC 3339 with nanoseconds, UTC) and
// base64 are those of BuildKit's SolveStatus (`--progress=rawjson`); each event makes one object with one of
// these lists:
//
//   {"vertexes": [{"digest": id, "inputs": [id…], "name": text, "started": time, "completed": time,
//                  "cached": true, "error": text,
//                  "lane": "linux/arm64", "mode": "native" | "emulated", "how": text, "isolation": "oci" |
//                  "chroot" | "proot", "end": "done" | "cached" | "failed" | "skipped" | "canceled"}]}
//   {"statuses": [{"id": item, "vertex": id, "name": item, "current": bytes, "total": bytes, "timestamp":
//   time,
//                  "started": time, "completed": time}]}
//   {"logs": [{"vertex": id, "stream": 1 | 2, "data": base64, "timestamp": time}]}
//   {"warnings": [{"level": 1, "short": base64}]}
// and for a check of the Dockerfile
//   {"warnings": [{"level": 1, "short": base64, "detail": [base64], "rule", "description", "range", "file",
//   "line", "column"}]}
//
// A vertex is sent when it is planned, when it starts and when it ends, each time with all that is known of
// it; what is not known, empty or false is left out. "lane", "mode", "how", "isolation" and "end" are ours;
// readers of BuildKit's ignore them. Logs are raw: they may hold parts of lines and terminal escapes.
#include <memory>
#include <string>

#include "base/progress.h"
#include "slipway/text_output.h"

namespace slipway {

/// Thread-safe.
class JsonProgress final : public ProgressSink {
 public:
  /// `output` must live longer.
  explicit JsonProgress(TextOutput& output);
  ~JsonProgress() override;
  void on_event(const Event& event) noexcept override;
  /// Returns when all events so far are written.
  void flush() noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// "2026-03-01T12:00:00.5Z": as Go's RFC3339Nano prints UTC, without trailing zeros.
std::string rfc3339_nano(EventTime time);

}  // namespace slipway
