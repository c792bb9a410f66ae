#pragma once
// Writes one build down while it happens. Never the reason that a build fails: what cannot be recorded is
// said once as a warning.
#include <functional>
#include <memory>
#include <string>

#include "base/logger.h"
#include "base/progress.h"
#include "history/hider.h"
#include "history/history_directory.h"
#include "history/step_records.h"

namespace slipway {

/// Thread-safe. `directory` and `logger` must live longer.
class BuildRecorder final : public ProgressSink, public KeyListener {
 public:
  /// The build runs from now on. `start` has what is known of it; its texts are masked here.
  BuildRecorder(const HistoryDirectory& directory, BuildRecord start, Hider hider, Logger& logger);
  ~BuildRecorder() override;

  void on_context_read(const Vertex& vertex, const std::string& context, const CopyAction& copy,
                       const SelectionList& list) noexcept override;
  void on_keys(const KeyedGraph& keyed) noexcept override;
  void on_event(const Event& event) noexcept override;

  /// Of the record.
  const std::string& id() const;

  struct End {
    std::string outcome, error, image;
    /// The number that a step's log begins with; empty: it has none.
    std::function<std::string(const std::string& step_id)> log_of;
  };
  /// Once. Without it the build counts as interrupted.
  void finish(const End& end) noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// A record that begins now, with an id of its own.
BuildRecord new_build_record();

}  // namespace slipway
