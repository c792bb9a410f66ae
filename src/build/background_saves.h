#pragma once
// When what a build finishes goes to caches outside the store while the build goes on: layers one after the
// other as their steps finish, a cache's document now and then. How is cache_export's business.
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <vector>

#include "build/finished_step.h"
#include "scheduler/io_pool.h"

namespace slipway {

/// Nothing that goes wrong here is told: a cache that fails is left alone until the build's end, when all of
/// it is saved once more.
class BackgroundSaves {
 public:
  struct Target {
    /// Before the first document, and between two; longer after one that took long.
    std::chrono::milliseconds pause{0};
    /// Has the step's layers there, which no document refers to yet.
    std::function<void(const FinishedStep& step, std::stop_token stop)> send;
    /// Adds the steps to the document.
    std::function<void(const std::vector<FinishedStep>& steps, std::stop_token stop)> write;
  };
  /// Starts no thread before the first step is added; that one thread calls the targets' functions.
  explicit BackgroundSaves(std::vector<Target> targets);
  /// Breaks off what is under way.
  ~BackgroundSaves();

  /// From any thread; does not wait. What comes after end() is dropped.
  void add(FinishedStep step) noexcept;
  /// Begins nothing more and returns when nothing is under way: a layer is sent to its end unless `stop` says
  /// otherwise, a document is broken off. Called by one thread.
  void end(const std::stop_token& stop) noexcept;

 private:
  using Clock = std::chrono::steady_clock;
  struct Progress {
    Target target;
    Clock::time_point next;  ///< when its document may be written
    std::vector<FinishedStep> unwritten = {};
    bool given_up = false;
  };
  void work() noexcept;
  bool wait_for_work();
  void send(Progress& to, const std::vector<FinishedStep>& steps);
  void write_if_due(Progress& to);
  bool is_ending();

  std::vector<Progress> targets_;  ///< the thread's own once it is there
  std::stop_source break_off_layer_, break_off_document_;
  std::mutex mutex_;  ///< guards what follows; a plain one because a condition waits on it
  std::condition_variable changed_;
  std::vector<FinishedStep> arrived_;
  bool ending_ = false, started_ = false;
  std::optional<IoPool> pool_;  ///< the last: its thread uses all of it
};

}  // namespace slipway
