#include "slipway/progress_json.h"

#include <array>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/strings.h"
#include "base/synchronized.h"

namespace slipway {

namespace {

using Json = nlohmann::ordered_json;

const char* end_name(StepEnd end) {
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
      return "canceled";
  }
  return "failed";
}

// What a reader that knows only BuildKit's fields should see: a vertex without an error went well.
std::string error_text(const StepFinished& finished) {
  switch (finished.end) {
    case StepEnd::Failed:
      return finished.error.empty() ? "failed" : finished.error;
    case StepEnd::Skipped:
      return "skipped: a step it needs failed";
    case StepEnd::Cancelled:
      return "canceled";
    case StepEnd::Done:
    case StepEnd::Cached:
      return {};
  }
  return {};
}

// Makes one JSON object of each event. Single-threaded.
class JsonRenderer {
 public:
  std::string render(const Event& event) {
    now_ = rfc3339_nano(event.when);
    const auto [list, entry] = std::visit([this](const auto& what) { return on(what); }, event.what);
    const Json line{{list, Json::array({entry})}};
    // Names and messages come from outside and need not be UTF-8.
    return line.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
  }

 private:
  using Entry = std::pair<const char*, Json>;

  Json& vertex(const std::string& id) {
    const auto [it, added] = vertexes_.try_emplace(id);
    if (added) it->second["digest"] = id;
    return it->second;
  }

  Entry on(const StepPlanned& planned) {
    Json& it = vertex(planned.id);
    if (!planned.inputs.empty()) it["inputs"] = planned.inputs;
    it["name"] = planned.name;
    if (!planned.lane.empty()) it["lane"] = planned.lane;
    return {"vertexes", it};
  }

  Entry on(const StepStarted& started) {
    Json& it = vertex(started.id);
    it["started"] = now_;
    if (started.mode != ExecutionMode::None)
      it["mode"] = started.mode == ExecutionMode::Native ? "native" : "emulated";
    if (!started.how.empty()) it["how"] = started.how;
    if (!started.isolation.empty()) it["isolation"] = started.isolation;
    return {"vertexes", it};
  }

  Entry on(const StepAccelerated& accelerated) {
    Json& it = vertex(accelerated.id);
    it["mode"] = "accelerated";
    it["twins"] = accelerated.twins;
    return {"vertexes", it};
  }

  Entry on(const StepFinished& finished) {
    Json& it = vertex(finished.id);
    const bool never_ran = finished.end == StepEnd::Skipped || finished.end == StepEnd::Cancelled;
    if (!it.contains("started") && !never_ran) it["started"] = now_;
    it["completed"] = now_;
    if (finished.end == StepEnd::Cached) it["cached"] = true;
    if (!finished.how.empty()) it["how"] = finished.how;
    if (const std::string error = error_text(finished); !error.empty()) it["error"] = error;
    it["end"] = end_name(finished.end);
    return {"vertexes", it};
  }

  Entry on(const StepLog& log) {
    return {"logs",
            {{"vertex", log.id},
             {"stream", log.stream},
             {"data", base64_encode(log.bytes)},
             {"timestamp", now_}}};
  }

  Entry on(const BytesMoved& moved) {
    const auto [it, added] = transfers_.try_emplace({moved.id, moved.item}, now_);
    Json status{{"id", moved.item}, {"vertex", moved.id}, {"name", moved.item}, {"current", moved.current}};
    if (moved.total) status["total"] = moved.total;
    status["timestamp"] = now_;
    status["started"] = it->second;
    if (moved.done) {
      status["completed"] = now_;
      transfers_.erase(it);
    }
    return {"statuses", std::move(status)};
  }

  Entry on(const Warned& warned) {
    if (warned.rule.empty()) return {"warnings", {{"level", 1}, {"short", base64_encode(warned.message)}}};
    Json check{{"level", 1},
               {"short", base64_encode(concat(warned.rule, ": ", warned.message))},
               {"detail", Json::array({base64_encode(warned.description)})},
               {"rule", warned.rule},
               {"description", warned.description}};
    if (warned.where) {
      const Json line{{"line", warned.where->line}};
      check["range"] = Json::array({Json{{"start", line}, {"end", line}}});
      check["file"] = warned.where->file;
      check["line"] = warned.where->line;
      if (warned.where->column > 0) check["column"] = warned.where->column;
    }
    return {"warnings", std::move(check)};
  }

  std::map<std::string, Json> vertexes_;
  std::map<std::pair<std::string, std::string>, std::string> transfers_;  // (step, item) -> started
  std::string now_;
};

}  // namespace

std::string rfc3339_nano(EventTime time) {
  using namespace std::chrono;
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(floor<nanoseconds>(time - day));
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  std::string out = text.data();
  if (const long long fraction = clock.subseconds().count(); fraction != 0) {
    std::snprintf(text.data(), text.size(), ".%09lld", fraction);
    out += text.data();
    out.erase(out.find_last_not_of('0') + 1);
  }
  return out + 'Z';
}

struct JsonProgress::Impl {
  explicit Impl(TextOutput& output) : writer(output) {}
  Synchronized<JsonRenderer> renderer;
  OrderedWriter writer;
};

JsonProgress::JsonProgress(TextOutput& output) : impl_(std::make_unique<Impl>(output)) {}
JsonProgress::~JsonProgress() { flush(); }

void JsonProgress::on_event(const Event& event) noexcept {
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

void JsonProgress::flush() noexcept {
  try {
    impl_->writer.flush();
  } catch (...) {
  }
}

}  // namespace slipway
