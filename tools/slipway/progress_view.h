#pragma once
// The state of a build as far as a live view shows it, folded from events. Pure and single-threaded; what is
// drawn of it is decided in progress_frame.h.
#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "base/progress.h"
#include "slipway/terminal_text.h"

namespace slipway {

enum class StepState { Waiting, Running, Done, Cached, Failed, Skipped, Cancelled };

struct TransferView {
  std::string item;
  std::uint64_t current = 0;
  std::uint64_t total = 0;  ///< 0: unknown
  bool done = false;
};

struct StepView {
  std::string name;  ///< clean
  std::string lane;
  StepState state = StepState::Waiting;
  ExecutionMode mode = ExecutionMode::None;
  bool started = false;  ///< it ran, or came from the cache
  EventTime began;
  EventTime ended;
  std::size_t end_order = 0;  ///< among the steps that ended, from 0
  std::vector<TransferView> transfers;
  std::array<LineSplitter, 2> partial;  ///< stdout, stderr
  std::deque<std::string> log;          ///< the last lines, clean, newest last
};

class ProgressView {
 public:
  /// `log_lines`: how many lines of output to remember for each step.
  explicit ProgressView(std::size_t log_lines) : log_lines_(log_lines) {}
  void apply(const Event& event);

  const std::vector<StepView>& steps() const { return steps_; }  ///< in the order they were announced
  const std::vector<std::string>& warnings() const { return warnings_; }  ///< clean lines
  EventTime began() const { return began_; }                              ///< time of the first event
  std::size_t count(StepState state) const;

 private:
  StepView& step(const std::string& id);
  void on(const StepPlanned& planned);
  void on(const StepStarted& started);
  void on(const StepAccelerated& accelerated);
  void on(const StepLog& log);
  void on(const BytesMoved& moved);
  void on(const StepFinished& finished);
  void on(const Warned& warned);
  void start(StepView& step);
  void set_state(StepView& step, StepState state);

  std::size_t log_lines_;
  std::vector<StepView> steps_;
  std::map<std::string, std::size_t> by_id_;
  std::map<StepState, std::size_t> counts_;
  std::vector<std::string> warnings_;
  std::size_t ended_ = 0;
  bool any_ = false;
  EventTime began_;
  EventTime now_;
};

}  // namespace slipway
