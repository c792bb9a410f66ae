#pragma once
// What happens in a build, as typed events. The terminal view, plain lines and JSON are renderers of this one
// stream; nothing else tells a user what goes on.
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"

namespace slipway {

using EventTime = std::chrono::system_clock::time_point;

/// How the code of a step is executed; empty mode for steps that execute nothing.
enum class ExecutionMode { None, Native, Emulated, Accelerated };

/// Announced once for each step before any of them starts, in plan order.
struct StepPlanned {
  std::string id;    ///< vertex digest, or a name for steps outside the graph ("publish")
  std::string name;  ///< "[linux/arm64 build 2/3] RUN make", one line
  std::string lane;  ///< "linux/arm64"; several joined by "," for a shared step; empty for internal ones
  std::vector<std::string> inputs;  ///< ids
};
struct StepStarted {
  std::string id;
  ExecutionMode mode = ExecutionMode::None;
  std::string how;               ///< "emulated by qemu-aarch64 7.2"; empty when native
  std::string isolation;         ///< "oci", "chroot" or "proot"; empty for steps that execute nothing
  std::string passed_over = {};  ///< why it runs though it has a result, a sentence; empty: it has none
};
/// An emulated step has native twins of that many of its root's programs to run. After StepStarted.
struct StepAccelerated {
  std::string id;
  std::size_t twins = 0;
};
struct StepLog {
  std::string id;
  int stream = 1;     ///< 1 stdout, 2 stderr
  std::string bytes;  ///< raw, may hold parts of lines
};
/// A transfer within a step: upsert by (id, item). total 0 = unknown.
struct BytesMoved {
  std::string id;
  std::string item;  ///< "sha256:0123… pushing"
  std::uint64_t current = 0;
  std::uint64_t total = 0;
  bool done = false;
};
enum class StepEnd { Done, Cached, Failed, Skipped, Cancelled };
struct StepFinished {
  std::string id;
  StepEnd end = StepEnd::Done;
  std::string error;     ///< one line or several, for Failed
  std::string how = {};  ///< of a Cached one that was not known before the build: "hit by content"
};
/// Said once, loudly: a fall-back to emulation, a squashed owner, a missing limit; and what a check of the
/// Dockerfile found.
struct Warned {
  std::string message;
  std::string rule;                     ///< of a check, such as "UndefinedVar"; empty otherwise
  std::string description;              ///< what that rule asks for
  std::optional<SourceLocation> where;  ///< what a check found it at
};

struct Event {
  EventTime when;
  std::variant<StepPlanned, StepStarted, StepAccelerated, StepLog, BytesMoved, StepFinished, Warned> what;
};

/// Thread-safe; noexcept: a broken terminal never breaks a build.
class ProgressSink {
 public:
  virtual ~ProgressSink() = default;
  virtual void on_event(const Event& event) noexcept = 0;

  template <class What>
  void emit(What what) noexcept {
    on_event(Event{std::chrono::system_clock::now(), std::move(what)});
  }
};

class NullProgress final : public ProgressSink {
 public:
  void on_event(const Event&) noexcept override {}
};

/// Hands every event to several sinks (terminal, step logs on disk, metadata collector).
class TeeProgress final : public ProgressSink {
 public:
  explicit TeeProgress(std::vector<ProgressSink*> sinks) : sinks_(std::move(sinks)) {}
  void on_event(const Event& event) noexcept override {
    for (ProgressSink* sink : sinks_) sink->on_event(event);
  }

 private:
  std::vector<ProgressSink*> sinks_;
};

}  // namespace slipway
