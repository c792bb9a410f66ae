#pragma once
// The trees behind a step's mounts, in place for as long as the step runs.
#include <filesystem>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/progress.h"
#include "content/store.h"
#include "graph/graph.h"
#include "nodes/cache_mount_names.h"
#include "nodes/context_trees.h"
#include "nodes/vertex_result.h"
#include "runtime/sandbox.h"

namespace slipway {

/// Bind and cache mounts. What a step writes to a bind mount goes to a layer of its own, which is dropped.
class ExecMounts {
 public:
  ExecMounts(Store& store, ContextTrees& contexts, ProgressSink& progress, const Vertex& vertex,
             const std::vector<VertexResult>& inputs, MountMeans means, const CacheMountFill& imported)
      : store_(store),
        contexts_(contexts),
        progress_(progress),
        vertex_(vertex),
        inputs_(inputs),
        means_(means),
        imported_(imported) {}
  ExecMounts(const ExecMounts&) = delete;
  ExecMounts& operator=(const ExecMounts&) = delete;

  enum class Caches {
    Kept,     ///< what the step writes there is there for the next one
    Dropped,  ///< it sees what is there, and what it writes goes where writes to a bind mount go
  };
  /// Makes the trees ready, waiting for cache mounts where others use them, and adds them to `spec`. Cache
  /// mounts are this object's from then on; all else is made anew by a second call, for another run of the
  /// step, and what the first one's wrote is dropped. Throws InvalidInput for a source that is not there,
  /// Cancelled, SystemError.
  void add_to(SandboxSpec& spec, const ExecOp& exec, Caches kind, std::stop_token stop);

 private:
  std::filesystem::path bind_source(const Mount& mount, bool needs_places, const std::stop_token& stop);
  std::filesystem::path cache_source(const Mount& mount, const std::stop_token& stop);
  bool import_cache(const CacheMountUse& use, const std::filesystem::path& parent,
                    const std::stop_token& stop);
  void fill_cache(const Mount& mount, const std::filesystem::path& parent, const std::stop_token& stop);

  std::filesystem::path writable_copy(const std::filesystem::path& source, const std::stop_token& stop);
  std::filesystem::path tree_of(const Mount& mount, bool writable, const std::stop_token& stop);
  std::filesystem::path within(const std::filesystem::path& tree, const Mount& mount) const;
  const VertexResult* input_of(const Mount& mount) const;
  std::filesystem::path new_directory(std::string_view name);
  void say(std::string text);
  [[noreturn]] void refuse(std::string message) const;

  Store& store_;
  ContextTrees& contexts_;
  ProgressSink& progress_;
  const Vertex& vertex_;
  const std::vector<VertexResult>& inputs_;
  const MountMeans means_;
  const CacheMountFill& imported_;  ///< may be empty
  // Destroyed in reverse: mounts before the directories they are on.
  std::vector<TempDir> directories_;
  std::map<std::string, CacheLease>
      caches_;                           ///< by name: one step uses a cache once, however often it mounts it
  std::map<int, MountedTree> views_;     ///< by input
  std::vector<ActiveSnapshot> scratch_;  ///< what steps write to is dropped with these
};

}  // namespace slipway
