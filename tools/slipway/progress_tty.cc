#include "slipway/progress_tty.h"

#include <sys/ioctl.h>

#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

#include "base/strings.h"

namespace slipway {

TerminalSize FdTerminal::size() noexcept {
  struct winsize size {};
  if (::ioctl(fd_, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {.columns = size.ws_col, .rows = size.ws_row};
}

TtyOptions TtyOptions::from_environment() {
  constexpr std::uint64_t kMostLogLines = 100;
  TtyOptions options;
  if (const char* no_color = std::getenv("NO_COLOR"); no_color && *no_color) options.colour = Colour::Never;
  if (const char* lines = std::getenv("BUILDKIT_TTY_LOG_LINES")) {
    const std::optional<std::uint64_t> count = parse_unsigned(lines);
    if (count && *count <= kMostLogLines) options.log_lines = static_cast<std::size_t>(*count);
  }
  return options;
}

struct TtyProgress::Impl {
  Impl(Terminal& the_terminal, TtyOptions given)
      : terminal(the_terminal), options(std::move(given)), painter(options.colour), view(options.log_lines) {}

  // The drawing thread. It sleeps while nothing changes, and draws on while a step runs, for the clocks.
  void run(std::stop_token stop) {
    while (wait_for_change(stop)) {
      draw(FrameKind::Live);
      std::unique_lock lock(mutex);
      wake.wait_for(lock, stop, options.interval, [] { return false; });
    }
    draw(FrameKind::Last);
  }

  bool wait_for_change(const std::stop_token& stop) {
    std::unique_lock lock(mutex);
    wake.wait(lock, stop, [this] { return dirty || view.count(StepState::Running) > 0; });
    dirty = false;
    return !stop.stop_requested();
  }

  void draw(FrameKind kind) noexcept {
    try {
      const TerminalSize size = terminal.size();
      // One column and one row less: a full line would make some terminals wrap, and the cursor rests below.
      const FrameShape shape{.width = size.columns > 1 ? size.columns - 1 : 1,
                             .height = size.rows > 1 ? size.rows - 1 : 1,
                             .log_lines = options.log_lines,
                             .kind = kind};
      const EventTime now = options.clock();
      std::vector<FrameLine> lines;
      {
        const std::lock_guard lock(mutex);
        if (!any) return;
        lines = compose_frame(view, shape, now);
      }
      terminal.write(painter.paint(lines, size.columns));
    } catch (...) {  // out of memory: this picture is lost, the build is not
    }
  }

  Terminal& terminal;
  const TtyOptions options;
  FramePainter painter;  // the drawing thread's
  std::mutex mutex;      // guards what follows; a plain mutex because a condition waits on it
  std::condition_variable_any wake;
  ProgressView view;
  bool any = false;
  bool dirty = false;
  bool closed = false;
  std::jthread thread;  // last: it uses all of the above
};

TtyProgress::TtyProgress(Terminal& terminal, TtyOptions options)
    : impl_(std::make_unique<Impl>(terminal, std::move(options))) {
  impl_->thread = std::jthread([impl = impl_.get()](std::stop_token stop) { impl->run(std::move(stop)); });
}

TtyProgress::~TtyProgress() { close(); }

void TtyProgress::on_event(const Event& event) noexcept {
  try {
    {
      const std::lock_guard lock(impl_->mutex);
      if (impl_->closed) return;
      impl_->view.apply(event);
      impl_->any = impl_->dirty = true;
    }
    impl_->wake.notify_one();
  } catch (...) {  // out of memory: the view is wrong, the build is not
  }
}

void TtyProgress::close() noexcept {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->closed = true;
  }
  impl_->thread.request_stop();
  if (impl_->thread.joinable()) impl_->thread.join();
}

}  // namespace slipway
