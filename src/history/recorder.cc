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

constexpr std::size_t kDigitsKept = 16;

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

/// Selections of equal content are different lists if they are in different places.
std::string manifest_name(const SelectionSeen& seen) {
  std::string text = seen.digest.str();
  for (const std::string& source : seen.sources) text += concat("\n", source.size(), ":", source);
  return std::string(Digest::of(text).hex());
}

std::string manifest_text(const std::vector<SelectedEntry>& entries) {
  constexpr std::string_view kSha256 = "sha256:";
  std::string text;
  for (const SelectedEntry& entry : entries) {
    // Enough digits to tell files apart. A link's target is digested: it may hold blanks.
    const std::string digest = entry.content.empty()                ? ""
                               : entry.content.starts_with(kSha256) ? entry.content
                                                                    : Digest::of(entry.content).str();
    text += manifest_line(entry.path.empty() ? "." : entry.path, entry.mode,
                          digest.empty() ? "" : digest.substr(kSha256.size(), kDigitsKept));
  }
  return text;
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
      : directory(given), logger(log), hider(std::move(to_hide)) {
    for (std::string* text : {&start.context, &start.dockerfile, &start.target}) *text = hider.apply(*text);
    state.lock()->record = std::move(start);
  }

  struct State {
    BuildRecord record;
    std::unordered_map<std::string, std::size_t> index_of;  ///< of steps, by id
    std::map<std::string, std::vector<ContextRead>> reads;  ///< by the step's id
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

  StepRecord step_of(const KeyedGraph& keyed, const Vertex& vertex, const std::set<std::string>& args) const {
    StepRecord step{
        .id = vertex.digest.str(), .name = hider.apply(vertex.info.name), .kind = kind_of(vertex.op)};
    for (const Platform& platform : vertex.lanes) step.platforms.push_back(platform.str());
    step.key = keyed.keys.at(vertex.digest).str();
    if (const auto identity = keyed.identities.find(vertex.digest); identity != keyed.identities.end()) {
      step.parts.push_back({.name = "content", .value = hider.apply(identity->second), .hidden = false});
    } else {
      step.parts = step_parts(vertex.op, args, hider);
      step.no_cache = vertex.info.ignore_cache && !std::holds_alternative<SourceOp>(vertex.op.what);
    }
    return step;
  }

  void on_keys(const KeyedGraph& keyed) {
    std::set<std::string> args;
    for (const auto& [name, value] : keyed.args) {
      args.insert(name);
      hider.add_variable(name, value);
    }
    for (const Vertex& vertex : keyed.graph.vertices())
      if (const ExecOp* exec = std::get_if<ExecOp>(&vertex.op.what))
        for (const std::string& variable : exec->env)
          if (const std::size_t equals = variable.find('='); equals != std::string::npos)
            hider.add_variable(std::string_view(variable).substr(0, equals), variable.substr(equals + 1));

    auto locked = state.lock();
    for (const Vertex& vertex : keyed.graph.vertices()) {
      StepRecord step = step_of(keyed, vertex, args);
      for (const Input& input : vertex.op.inputs) {
        const std::size_t index = locked->index_of.at(input.vertex.str());
        if (locked->record.steps[index].kind != "context") step.inputs.push_back(index);
      }
      if (auto reads = locked->reads.extract(step.id)) step.reads = std::move(reads.mapped());
      locked->index_of.emplace(step.id, locked->record.steps.size());
      locked->record.steps.push_back(std::move(step));
    }
  }

  void on_event(const Event& event) {
    if (const auto* started = std::get_if<StepStarted>(&event.what)) {
      auto locked = state.lock();
      const auto found = locked->index_of.find(started->id);
      if (found == locked->index_of.end()) return;
      locked->started[started->id] = event.when;
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
                                    const SelectionSeen& seen) noexcept {
  impl_->guarded([&] {
    ContextRead read{.context = context,
                     .source = impl_->hider.apply(copy.src),
                     .digest = seen.digest.str(),
                     .manifest = manifest_name(seen)};
    impl_->directory.keep_manifest(read.manifest, [&] { return manifest_text(seen.entries()); });
    impl_->state.lock()->reads[vertex.digest.str()].push_back(std::move(read));
  });
}

void BuildRecorder::on_keys(const KeyedGraph& keyed) noexcept {
  impl_->guarded([&] { impl_->on_keys(keyed); });
}

void BuildRecorder::on_event(const Event& event) noexcept {
  impl_->guarded([&] { impl_->on_event(event); });
}

void BuildRecorder::finish(const End& end) noexcept {
  impl_->guarded([&] { impl_->finish(end); });
  impl_->running.reset();
}

}  // namespace slipway
