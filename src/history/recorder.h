#pragma once
// Writes one build down while it happens. Never the reason that a build fails: what cannot be recorded is
// said once as a warning.
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/logger.h"
#include "base/progress.h"
#include "content/tree.h"
#include "graph/graph.h"
#include "history/hider.h"
#include "history/history_directory.h"

namespace slipway {

/// What the keys of a build's steps were made of.
struct KeyedGraph {
  const Graph& graph;
  const std::map<Digest, Digest>& keys;
  std::map<Digest, std::string> identities;  ///< of remote sources
  std::map<std::string, std::string> args;   ///< the Dockerfile's ARGs, with values where they have one
};

/// Thread-safe. `directory` and `logger` must live longer.
class BuildRecorder final : public ProgressSink {
 public:
  /// The build runs from now on. `start` has what is known of it; its texts are masked here.
  BuildRecorder(const HistoryDirectory& directory, BuildRecord start, Hider hider, Logger& logger);
  ~BuildRecorder() override;

  /// A step's key is being made, and covers this of a context.
  void on_context_read(const Vertex& vertex, const std::string& context, const CopyAction& copy,
                       const SelectionSeen& seen) noexcept;
  /// Once, after that and before any step starts.
  void on_keys(const KeyedGraph& keyed) noexcept;
  void on_event(const Event& event) noexcept override;

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
