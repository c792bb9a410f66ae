#include "slipway/progress_frame.h"

#include <algorithm>
#include <ranges>

#include "base/strings.h"

namespace slipway {

namespace {

constexpr std::size_t kMostTransfers = 4;
constexpr std::size_t kMostLiveWarnings = 3;
constexpr std::size_t kBarWidth = 20;
constexpr std::size_t kNarrow = 30;  // below this there is no room for a right column

struct Lane {
  std::string title;
  std::vector<const StepView*> steps;  // those that are shown
  std::size_t finished = 0;
  std::size_t total = 0;
};

// How much of the state is drawn.
struct Detail {
  std::size_t hidden = 0;  // steps that ended well, the oldest first
  std::size_t log_lines = 0;
  std::size_t transfers = kMostTransfers;
  bool headings = true;
};

bool ended_well(const StepView& step) {
  return step.state == StepState::Done || step.state == StepState::Cached;
}
bool is_hidden(const StepView& step, const Detail& detail) {
  return ended_well(step) && step.end_order < detail.hidden;
}

std::vector<Lane> lanes_of(const ProgressView& view) {
  std::vector<Lane> lanes;
  for (const StepView& step : view.steps()) {
    auto lane = std::ranges::find(lanes, step.lane, &Lane::title);
    if (lane == lanes.end()) lane = lanes.insert(lane, Lane{.title = step.lane});
    ++lane->total;
    if (ended_well(step)) ++lane->finished;
    if (step.started) lane->steps.push_back(&step);
  }
  std::erase_if(lanes, [](const Lane& lane) { return lane.steps.empty(); });
  return lanes;
}

std::string elapsed(EventTime from, EventTime to) {
  return human_seconds(std::max(0.0, std::chrono::duration<double>(to - from).count()));
}

// Only transfers that still move, and of those the first few.
std::vector<const TransferView*> shown_transfers(const StepView& step, const Detail& detail) {
  std::vector<const TransferView*> shown;
  if (step.state != StepState::Running) return shown;
  for (const TransferView& transfer : step.transfers) {
    if (!transfer.done && shown.size() < detail.transfers) shown.push_back(&transfer);
  }
  return shown;
}

std::size_t shown_log_lines(const StepView& step, const Detail& detail) {
  return step.state == StepState::Running ? std::min(step.log.size(), detail.log_lines) : 0;
}

class Composer {
 public:
  Composer(const ProgressView& view, const FrameShape& shape, EventTime now)
      : view_(view), shape_(shape), now_(now), lanes_(lanes_of(view)) {}

  std::vector<FrameLine> compose() {
    if (shape_.kind == FrameKind::Last) return draw({.transfers = 0});
    const Detail detail = fitting_detail();
    std::vector<FrameLine> lines = draw(detail);
    if (lines.size() > shape_.height && shape_.height > 0) {
      const std::size_t missing = lines.size() - shape_.height + 1;
      lines.resize(shape_.height);
      lines.back() = {fit(concat(" … ", missing, " more lines"))};
    }
    return lines;
  }

 private:
  bool fits(const Detail& detail) const { return count(detail) <= shape_.height; }

  Detail fitting_detail() const {
    Detail detail{.log_lines = shape_.log_lines};
    if (fits(detail)) return detail;
    // Hiding one more step never needs more lines, so the least that fits can be searched for.
    const std::size_t most = view_.steps().size();
    const auto candidates = std::views::iota(std::size_t{0}, most + 1);
    const auto least = std::ranges::partition_point(candidates, [&](std::size_t hidden) {
      detail.hidden = hidden;
      return !fits(detail);
    });
    detail.hidden = least == candidates.end() ? most : *least;
    while (!fits(detail) && detail.log_lines > 0) --detail.log_lines;
    while (!fits(detail) && detail.transfers > 0) --detail.transfers;
    if (!fits(detail)) detail.headings = false;
    return detail;
  }

  std::size_t count(const Detail& detail) const {
    std::size_t lines = 1 + std::min(view_.warnings().size(), kMostLiveWarnings);
    for (const Lane& lane : lanes_) {
      if (detail.headings && !lane.title.empty()) ++lines;
      bool hides = false;
      for (const StepView* step : lane.steps) {
        if (is_hidden(*step, detail)) {
          hides = true;
        } else {
          lines += 1 + shown_transfers(*step, detail).size() + shown_log_lines(*step, detail);
        }
      }
      if (hides && detail.headings) ++lines;
    }
    return lines;
  }

  std::vector<FrameLine> draw(const Detail& detail) {
    lines_.clear();
    header();
    warnings();
    for (const Lane& lane : lanes_) {
      if (detail.headings && !lane.title.empty()) heading(lane);
      const auto hidden = static_cast<std::size_t>(
          std::ranges::count_if(lane.steps, [&](const StepView* step) { return is_hidden(*step, detail); }));
      if (hidden && detail.headings)
        add(concat(" => ", hidden, hidden == 1 ? " step done" : " steps done"), LineStyle::Done);
      for (const StepView* it : lane.steps) {
        if (!is_hidden(*it, detail)) step(*it, detail);
      }
    }
    return lines_;
  }

  void header() {
    const std::size_t good = view_.count(StepState::Done) + view_.count(StepState::Cached);
    std::string text =
        concat("[+] Building ", elapsed(view_.began(), now_), " (", good, '/', view_.steps().size(), ')');
    if (shape_.kind == FrameKind::Last) {
      if (view_.count(StepState::Failed)) {
        text += " FAILED";
      } else {
        text += good == view_.steps().size() ? " FINISHED" : " CANCELED";
      }
    }
    add(text, LineStyle::Header);
  }

  void warnings() {
    const std::vector<std::string>& all = view_.warnings();
    if (shape_.kind == FrameKind::Last) {  // the terminal wraps them
      for (const std::string& line : all) lines_.push_back({line, LineStyle::Warning});
      return;
    }
    const std::size_t shown = std::min(all.size(), kMostLiveWarnings);
    for (const std::string& line : all | std::views::drop(all.size() - shown)) add(line, LineStyle::Warning);
  }

  void heading(const Lane& lane) {
    const std::vector<std::string> platforms = split(lane.title, ',');
    const std::string_view shared = platforms.size() > 1 ? " shared" : "";
    add(concat(join(platforms, ", "), shared, " (", lane.finished, '/', lane.total, ')'), LineStyle::Lane);
  }

  void step(const StepView& step, const Detail& detail) {
    std::string_view mark;
    LineStyle style = LineStyle::Plain;
    switch (step.state) {
      case StepState::Done:
        style = LineStyle::Done;
        break;
      case StepState::Cached:
        style = LineStyle::Done;
        mark = "CACHED ";
        break;
      case StepState::Failed:
        style = LineStyle::Failed;
        mark = "ERROR ";
        break;
      case StepState::Cancelled:
        style = LineStyle::Cancelled;
        mark = "CANCELED ";
        break;
      case StepState::Skipped:
        style = LineStyle::Cancelled;
        mark = "SKIPPED ";
        break;
      case StepState::Waiting:
      case StepState::Running:
        break;
    }
    std::string right = elapsed(step.began, step.state == StepState::Running ? now_ : step.ended);
    if (step.mode == ExecutionMode::Native) right = concat("native ", right);
    if (step.mode == ExecutionMode::Accelerated) right = concat("accelerated ", right);
    if (step.mode == ExecutionMode::Emulated) right = concat("emulated ", right);
    two_columns(concat(" => ", mark, step.name), right, style);
    for (const TransferView* it : shown_transfers(step, detail)) transfer(*it);
    const std::size_t shown = shown_log_lines(step, detail);
    for (const std::string& line : step.log | std::views::drop(step.log.size() - shown))
      add(concat(" => => # ", line), LineStyle::Log);
  }

  void transfer(const TransferView& transfer) {
    std::string right = human_bytes(transfer.current);
    if (transfer.total) {
      const std::uint64_t part = std::min(transfer.current, transfer.total);
      const double share = static_cast<double>(part) / static_cast<double>(transfer.total);
      const auto full = static_cast<std::size_t>(share * static_cast<double>(kBarWidth));
      std::string bar(full, '=');
      if (full < kBarWidth) bar += '>';
      bar.resize(kBarWidth, ' ');
      right = concat('[', bar, "] ", right, " / ", human_bytes(transfer.total));
    }
    two_columns(concat(" => => ", transfer.item), right, LineStyle::Plain);
  }

  void two_columns(std::string_view left, std::string_view right, LineStyle style) {
    const std::size_t right_width = display_width(right);
    if (shape_.width < kNarrow || right_width + kNarrow / 2 > shape_.width) return add(left, style);
    const std::string cut = fit_to_width(left, shape_.width - right_width - 1);
    const std::string gap(shape_.width - right_width - display_width(cut), ' ');
    lines_.push_back({concat(cut, gap, right), style});
  }

  std::string fit(std::string_view text) const { return fit_to_width(text, shape_.width); }
  void add(std::string_view text, LineStyle style) { lines_.push_back({fit(text), style}); }

  const ProgressView& view_;
  const FrameShape shape_;
  const EventTime now_;
  const std::vector<Lane> lanes_;
  std::vector<FrameLine> lines_;
};

}  // namespace

std::vector<FrameLine> compose_frame(const ProgressView& view, const FrameShape& shape, EventTime now) {
  return Composer(view, shape, now).compose();
}

}  // namespace slipway
