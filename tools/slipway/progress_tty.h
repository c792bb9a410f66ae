#pragma once
// The live view: one thread owns the terminal and redraws it, at most ten times a second, while something
// happens.
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>

#include "base/progress.h"
#include "slipway/frame_painter.h"
#include "slipway/text_output.h"

namespace slipway {

struct TerminalSize {
  std::size_t columns = 80;
  std::size_t rows = 24;
};

/// A terminal, or a test's idea of one.
class Terminal {
 public:
  virtual ~Terminal() = default;
  /// Asked before each picture, so that a resize needs no signal.
  virtual TerminalSize size() noexcept = 0;
  virtual void write(std::string_view bytes) noexcept = 0;
};

/// The terminal behind a descriptor that somebody else owns; 80x24 if it cannot tell.
class FdTerminal final : public Terminal {
 public:
  explicit FdTerminal(int fd) : fd_(fd), output_(fd) {}
  TerminalSize size() noexcept override;
  void write(std::string_view bytes) noexcept override { output_.write(bytes); }

 private:
  int fd_;
  FdOutput output_;
};

struct TtyOptions {
  Colour colour = Colour::Always;
  std::size_t log_lines = 4;  ///< under each step that runs
  std::chrono::milliseconds interval{100};
  std::function<EventTime()> clock = [] { return std::chrono::system_clock::now(); };

  /// NO_COLOR (any value but the empty one) and BUILDKIT_TTY_LOG_LINES (a number up to 100; anything else is
  /// ignored).
  static TtyOptions from_environment();
};

/// Thread-safe. Steps never wait for the terminal.
class TtyProgress final : public ProgressSink {
 public:
  /// `terminal` must live longer.
  TtyProgress(Terminal& terminal, TtyOptions options);
  /// As close().
  ~TtyProgress() override;
  void on_event(const Event& event) noexcept override;
  /// Replaces the live picture by the last one, which has every step, and gives the terminal back. Events
  /// after this are dropped. Called by the owner; may be called again.
  void close() noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway
