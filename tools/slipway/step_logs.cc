#include "slipway/step_logs.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <deque>
#include <map>
#include <system_error>
#include <utility>

#include "base/strings.h"
#include "base/synchronized.h"
#include "base/unique_fd.h"
#include "slipway/terminal_text.h"
#include "slipway/text_output.h"

namespace slipway {

namespace {

namespace fs = std::filesystem;

// Says one thing once, however many files fail.
class FirstFailure {
 public:
  explicit FirstFailure(ProgressSink& warnings) : warnings_(warnings) {}
  void report(const fs::path& path, int error) {
    if (said_.exchange(true)) return;
    warnings_.emit(Warned{concat("cannot write the step log ", path.string(), ": ", std::strerror(error),
                                 "; the build goes on, logs may be incomplete")});
  }

 private:
  ProgressSink& warnings_;
  std::atomic<bool> said_ = false;
};

enum class OpenMode { Truncate, Append };

// A log file that is opened by its first byte. Written by one thread at a time (OrderedWriter sees to it).
class LogFile final : public TextOutput {
 public:
  LogFile(fs::path path, OpenMode mode, FirstFailure& failure)
      : path_(std::move(path)), mode_(mode), failure_(failure) {}

  void write(std::string_view bytes) noexcept override {
    if (broken_) return;
    const int error = open_and_write(bytes);
    if (error == 0) return;
    broken_ = true;
    fd_.reset();
    try {
      failure_.report(path_, error);
    } catch (...) {  // no memory for the message
    }
  }

 private:
  int open_and_write(std::string_view bytes) noexcept {
    if (!fd_) {
      std::error_code problem;
      // 0700 like the files: logs may show what a build reads.
      if (!fs::is_directory(path_.parent_path(), problem)) {
        fs::create_directories(path_.parent_path(), problem);
        if (problem) return problem.value();
        ::chmod(path_.parent_path().c_str(), 0700);
      }
      const int how = mode_ == OpenMode::Append ? O_APPEND : O_TRUNC;
      fd_ = UniqueFd(::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | how, 0600));
      if (!fd_) return errno;
      if (::fchmod(fd_.get(), 0600) != 0) return errno;  // it may have been there
    }
    return write_fully(fd_.get(), bytes);
  }

  fs::path path_;
  OpenMode mode_;
  FirstFailure& failure_;
  UniqueFd fd_;
  bool broken_ = false;
};

struct OpenLog {
  OpenLog(fs::path path, OpenMode mode, FirstFailure& failure)
      : file(std::move(path), mode, failure), writer(file) {}
  LogFile file;
  OrderedWriter writer;
};

struct StepLogState {
  std::string name;
  int number = 0;
  bool wrote = false;
  std::array<LineSplitter, 2> partial;  // stdout, stderr
  std::deque<std::string> lines;
  /// Owned by this entry until the step ends and by each thread that is writing to it.
  std::shared_ptr<OpenLog> log;
};

}  // namespace

std::string log_file_slug(std::string_view step_name) {
  constexpr std::size_t kLongest = 60;
  // What comes behind the instruction's word may hold a secret.
  const std::size_t bracket = step_name.starts_with('[') ? step_name.find("] ") : std::string_view::npos;
  const std::size_t word = bracket == std::string_view::npos ? 0 : bracket + 2;
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto end =
      std::find_if_not(step_name.begin() + static_cast<std::ptrdiff_t>(word), step_name.end(), is_letter);
  std::string slug;
  for (const char c : to_lower(step_name.substr(0, static_cast<std::size_t>(end - step_name.begin())))) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (plain) {
      slug += c;
    } else if (!slug.empty() && slug.back() != '-') {
      slug += '-';
    }
    if (slug.size() == kLongest) break;
  }
  while (!slug.empty() && slug.back() == '-') slug.pop_back();
  return slug.empty() ? "step" : slug;
}

struct StepLogs::Impl {
  Impl(StepLogsOptions given, ProgressSink& warnings) : options(std::move(given)), failure(warnings) {}

  struct State {
    std::map<std::string, StepLogState> steps;
    int last_number = 0;

    StepLogState& started(const std::string& id) {
      StepLogState& step = steps[id];
      if (!step.number) step.number = ++last_number;
      return step;
    }
  };

  fs::path path_of(const std::string& id, const StepLogState& step) const {
    return options.directory /
           concat(step.number, '-', log_file_slug(step.name.empty() ? id : step.name), ".log");
  }

  void keep(StepLogState& step, std::string line) const {
    step.lines.push_back(std::move(line));
    if (step.lines.size() > options.tail_lines) step.lines.pop_front();
  }

  // Queues the bytes under the lock, so that a file has them in the order of the events; writes without it.
  void on_log(const StepLog& log) {
    std::shared_ptr<OpenLog> file;
    {
      auto guard = state.lock();
      StepLogState& step = guard->started(log.id);
      for (std::string& line : step.partial[log.stream == 2 ? 1 : 0].feed(log.bytes))
        keep(step, std::move(line));
      if (options.directory.empty() || log.bytes.empty()) return;
      if (!step.log) {  // a step that is tried again goes on in its file
        const OpenMode mode = step.wrote ? OpenMode::Append : OpenMode::Truncate;
        step.log = std::make_shared<OpenLog>(path_of(log.id, step), mode, failure);
      }
      step.wrote = true;
      file = step.log;
      file->writer.queue(log.bytes);
    }
    file->writer.drain();
  }

  void on_finished(const std::string& id) {
    std::shared_ptr<OpenLog> closed;  // destroyed after the lock is gone
    auto guard = state.lock();
    const auto it = guard->steps.find(id);
    if (it == guard->steps.end()) return;
    for (LineSplitter& partial : it->second.partial) {
      if (std::optional<std::string> rest = partial.take_rest()) keep(it->second, std::move(*rest));
    }
    closed.swap(it->second.log);
  }

  void on_event(const Event& event) {
    if (const auto* log = std::get_if<StepLog>(&event.what)) {
      on_log(*log);
    } else if (const auto* planned = std::get_if<StepPlanned>(&event.what)) {
      state.lock()->steps[planned->id].name = planned->name;
    } else if (const auto* started = std::get_if<StepStarted>(&event.what)) {
      state.lock()->started(started->id);
    } else if (const auto* finished = std::get_if<StepFinished>(&event.what)) {
      on_finished(finished->id);
    }
  }

  const StepLogsOptions options;
  FirstFailure failure;
  Synchronized<State> state;
};

StepLogs::StepLogs(StepLogsOptions options, ProgressSink& warnings)
    : impl_(std::make_unique<Impl>(std::move(options), warnings)) {}
StepLogs::~StepLogs() = default;

void StepLogs::on_event(const Event& event) noexcept {
  try {
    impl_->on_event(event);
  } catch (...) {  // out of memory: a piece of the log is lost, the build is not
  }
}

std::vector<std::string> StepLogs::tail(const std::string& step_id) const {
  auto state = impl_->state.lock();
  const auto it = state->steps.find(step_id);
  if (it == state->steps.end()) return {};
  std::vector<std::string> lines(it->second.lines.begin(), it->second.lines.end());
  for (const LineSplitter& partial : it->second.partial) {
    if (std::optional<std::string> rest = partial.rest()) lines.push_back(std::move(*rest));
  }
  const std::size_t most = impl_->options.tail_lines;
  if (lines.size() > most) lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(most));
  return lines;
}

std::filesystem::path StepLogs::file(const std::string& step_id) const {
  auto state = impl_->state.lock();
  const auto it = state->steps.find(step_id);
  if (it == state->steps.end() || !it->second.wrote) return {};
  return impl_->path_of(step_id, it->second);
}

}  // namespace slipway
