#include "slipway/progress_plain.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>

#include "base/strings.h"
#include "base/synchronized.h"
#include "slipway/terminal_text.h"
#include "slipway/warning_text.h"

namespace slipway {

namespace {

constexpr auto kTransferInterval = std::chrono::seconds(10);

double seconds(EventTime::duration elapsed) {
  return std::max(0.0, std::chrono::duration<double>(elapsed).count());
}

struct Transfer {
  EventTime started;
  EventTime reported;
  bool done = false;
};

struct Step {
  std::string name;
  int number = 0;  // 0: not started
  EventTime started;
  std::array<LineSplitter, 2> partial;  // stdout, stderr
  std::map<std::string, Transfer> transfers;
};

// Makes lines of events. Single-threaded.
class PlainRenderer {
 public:
  std::string render(const Event& event) {
    out_.clear();
    now_ = event.when;
    std::visit([this](const auto& what) { on(what); }, event.what);
    return out_;
  }

  /// What is told at the end, below the steps: the checks of the Dockerfile.
  std::string render_end() {
    out_.clear();
    for (const Warned& check : checks_) {
      if (printed_) out_ += '\n';
      printed_ = true;
      warning(check);
    }
    checks_.clear();
    return out_;
  }

 private:
  Step& step(const std::string& id) {
    const auto [it, added] = steps_.try_emplace(id);
    if (added) it->second.name = clean_line(id);
    return it->second;
  }

  void line(const Step& step, std::string_view text) { out_ += concat('#', step.number, ' ', text, '\n'); }

  // The head of a step, once.
  void open(Step& step) {
    if (step.number) return;
    step.number = ++last_number_;
    step.started = now_;
    if (printed_) out_ += '\n';
    printed_ = true;
    line(step, step.name);
  }

  void log_line(const Step& step, std::string_view text) {
    line(step, concat(log_seconds(now_ - step.started), ' ', text));
  }

  void on(const StepPlanned& planned) { step(planned.id).name = clean_line(planned.name); }

  void on(const StepStarted& started) {
    Step& it = step(started.id);
    open(it);
    if (!started.how.empty()) line(it, clean_line(started.how));
  }

  void on(const StepAccelerated& accelerated) {
    Step& it = step(accelerated.id);
    open(it);
    line(it, concat("accelerated: ", accelerated.twins, " of its programs have native twins"));
  }

  void on(const StepLog& log) {
    Step& it = step(log.id);
    open(it);
    for (const std::string& text : it.partial[log.stream == 2 ? 1 : 0].feed(log.bytes)) log_line(it, text);
  }

  // Long transfers report now and then, all of them at their end.
  void on(const BytesMoved& moved) {
    Step& it = step(moved.id);
    open(it);
    const auto [entry, added] = it.transfers.try_emplace(moved.item, Transfer{now_, now_});
    Transfer& transfer = entry->second;
    if (transfer.done || (!moved.done && now_ - transfer.reported < kTransferInterval)) return;
    transfer.reported = now_;
    transfer.done = moved.done;
    std::string text = concat(clean_line(moved.item), ' ', human_bytes(moved.current));
    if (moved.total) text += concat(" / ", human_bytes(moved.total));
    text += concat(' ', human_seconds(seconds(now_ - transfer.started)));
    line(it, moved.done ? text + " done" : text);
  }

  void on(const StepFinished& finished) {
    Step& it = step(finished.id);
    const bool never_ran = finished.end == StepEnd::Skipped || finished.end == StepEnd::Cancelled;
    if (never_ran && !it.number) return;
    open(it);
    for (LineSplitter& partial : it.partial) {
      if (const std::optional<std::string> rest = partial.take_rest()) log_line(it, *rest);
    }
    switch (finished.end) {
      case StepEnd::Done:
        line(it, concat("DONE ", human_seconds(seconds(now_ - it.started))));
        break;
      case StepEnd::Cached:
        if (!finished.how.empty()) line(it, clean_line(finished.how));
        line(it, "CACHED");
        break;
      case StepEnd::Skipped:
        line(it, "SKIPPED");
        break;
      case StepEnd::Cancelled:
        line(it, "CANCELED");
        break;
      case StepEnd::Failed:
        failed(it, clean_lines(finished.error));
        break;
    }
    it.transfers.clear();
  }

  void failed(const Step& step, const std::vector<std::string>& error) {
    line(step, concat("ERROR: ", error.empty() ? "failed" : error.front()));
    for (std::size_t i = 1; i < error.size(); ++i) line(step, error[i]);
  }

  void on(const Warned& warned) {
    if (!warned.rule.empty()) {
      checks_.push_back(warned);
      return;
    }
    warning(warned);
    printed_ = true;
  }

  void warning(const Warned& warned) {
    std::string_view head = "WARNING: ";
    for (const std::string& text : clean_lines(warning_text(warned))) {
      out_ += concat(head, text, '\n');
      head = "         ";
    }
  }

  std::map<std::string, Step> steps_;
  std::vector<Warned> checks_;
  int last_number_ = 0;
  bool printed_ = false;
  EventTime now_;
  std::string out_;
};

}  // namespace

std::string log_seconds(EventTime::duration elapsed) {
  std::array<char, 64> text{};
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), seconds(elapsed), std::chars_format::fixed, 3);
  return std::string(text.data(), end.ptr);
}

struct PlainProgress::Impl {
  explicit Impl(TextOutput& output) : writer(output) {}
  Synchronized<PlainRenderer> renderer;
  OrderedWriter writer;
};

PlainProgress::PlainProgress(TextOutput& output) : impl_(std::make_unique<Impl>(output)) {}
PlainProgress::~PlainProgress() { flush(); }

void PlainProgress::on_event(const Event& event) noexcept {
  try {
    {
      auto renderer = impl_->renderer.lock();
      impl_->writer.queue(
          renderer->render(event));  // in here, so that the lines keep the order of the events
    }
    impl_->writer.drain();
  } catch (...) {  // out of memory: the line is lost, the build is not
  }
}

void PlainProgress::flush() noexcept {
  try {
    {
      auto renderer = impl_->renderer.lock();
      impl_->writer.queue(renderer->render_end());
    }
    impl_->writer.flush();
  } catch (...) {
  }
}

}  // namespace slipway
