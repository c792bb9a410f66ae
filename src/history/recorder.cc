#include "history/recorder.h"

#include <chrono>
#include <unordered_map>

#include "base/error.h"
#include "base/strings.h"
#include "base/synchronized.h"
#include "base/unique_fd.h"
#include "history/step_parts.h"

namespace slipway {

namespace {

const char* text_of(StepEnd end) {
  switch (end) {
    case StepEnd::Done:
      return "done";
    case StepEnd::Cached:
      return "cached";
    case StepEnd::Failed:
      return "failed";
    case StepEnd::Skipped:
      return "skipped";
    case StepEnd::Cancelled:
      break;
  }
  return "cancelled";
}

}  // namespace

BuildRecord new_build_record() {
  BuildRecord record{.id = new_build_id()};
  record.started_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
  return record;
}

struct BuildRecorder::Impl {
  Impl(const HistoryDirectory& given, BuildRecord start, Hider to_hide, Logger& log)
      : directory(given), logger(log), hider(std::move(to_hide)), id(start.id) {
    for (std::string* text : {&start.context, &start.dockerfile, &start.target}) *text = hider.apply(*text);
    state.lock()->record = std::move(start);
  }

  struct State {
    BuildRecord record;
    std::unordered_map<std::string, std::size_t> index_of;  ///< of steps, by id
    ContextReads reads;
    std::unordered_map<std::string, EventTime> started;
    bool failed = false;
  };

  template <class Work>
  void guarded(const Work& work) noexcept {
    try {
      work();
    } catch (const std::exception& e) {
      if (std::exchange(state.lock()->failed, true)) return;
      try {
        logger.log(LogLevel::Warning, concat("the build's record is not complete: ", e.what()));
      } catch (...) {  // no memory for the message
      }
    }
  }

  void on_keys(const KeyedGraph& keyed) {
    auto locked = state.lock();
    locked->record.steps = step_records(keyed, std::move(locked->reads), hider);
    for (std::size_t i = 0; i < locked->record.steps.size(); ++i)
      locked->index_of.emplace(locked->record.steps[i].id, i);
  }

  void on_event(const Event& event) {
    if (const auto* started = std::get_if<StepStarted>(&event.what)) {
      auto locked = state.lock();
      const auto found = locked->index_of.find(started->id);
      if (found == locked->index_of.end()) return;
      locked->started[started->id] = event.when;
      locked->record.steps[found->second].passed_over = started->passed_over;
      if (started->mode != ExecutionMode::None)
        locked->record.steps[found->second].mode = started->how.empty() ? "native" : started->how;
    } else if (const auto* accelerated = std::get_if<StepAccelerated>(&event.what)) {
      auto locked = state.lock();
      if (const auto found = locked->index_of.find(accelerated->id); found != locked->index_of.end())
        locked->record.steps[found->second].mode += concat(", ", accelerated->twins, " native twins");
    } else if (const auto* finished = std::get_if<StepFinished>(&event.what)) {
      auto locked = state.lock();
      const auto found = locked->index_of.find(finished->id);
      if (found == locked->index_of.end()) return;
      StepRecord& step = locked->record.steps[found->second];
      step.end = text_of(finished->end);
      step.hit = finished->how;
      step.error = hider.apply(finished->error);
      if (const auto at = locked->started.find(finished->id); at != locked->started.end())
        step.seconds = std::chrono::duration<double>(event.when - at->second).count();
    }
  }

  void finish(const End& end) {
    BuildRecord record = std::move(state.lock()->record);
    record.outcome = end.outcome;
    record.error = hider.apply(end.error);
    record.image = end.image;
    record.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    if (end.log_of)
      for (StepRecord& step : record.steps) step.log = end.log_of(step.id);
    directory.write(record);
    directory.prune();
  }

  const HistoryDirectory& directory;
  Logger& logger;
  Hider hider;  ///< grows in on_keys(), before steps run
  const std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
  const std::string id;
  UniqueFd running;  ///< open as long as the build runs
  Synchronized<State> state;
};

BuildRecorder::BuildRecorder(const HistoryDirectory& directory, BuildRecord start, Hider hider,
                             Logger& logger)
    : impl_(std::make_unique<Impl>(directory, std::move(start), std::move(hider), logger)) {
  impl_->guarded([this] {
    const BuildRecord record = impl_->state.lock()->record;
    impl_->running = impl_->directory.claim(record);
    impl_->directory.write(record);
  });
}

BuildRecorder::~BuildRecorder() = default;

void BuildRecorder::on_context_read(const Vertex& vertex, const std::string& context, const CopyAction& copy,
                                    const SelectionList& list) noexcept {
  impl_->guarded([&] {
    ContextRead read = context_read(context, copy, list, impl_->hider);
    impl_->directory.keep_manifest(read.manifest, [&] { return manifest_text(list.entries()); });
    impl_->state.lock()->reads[vertex.digest.str()].push_back(std::move(read));
  });
}

void BuildRecorder::on_keys(const KeyedGraph& keyed) noexcept {
  impl_->guarded([&] { impl_->on_keys(keyed); });
}

void BuildRecorder::on_event(const Event& event) noexcept {
  impl_->guarded([&] { impl_->on_event(event); });
}

const std::string& BuildRecorder::id() const { return impl_->id; }

void BuildRecorder::finish(const End& end) noexcept {
  impl_->guarded([&] { impl_->finish(end); });
  impl_->running.reset();
}

}  // namespace slipway
