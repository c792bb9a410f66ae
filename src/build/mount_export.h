#pragma once
// Packs the cache mounts that a build used, so that they go into caches outside the store.
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "build/mount_selection.h"
#include "cache/cache_mount_records.h"
#include "content/layers.h"
#include "content/store.h"
#include "graph/graph.h"
#include "nodes/cache_mount_names.h"

namespace slipway {

/// Used by one thread. All that is given must outlive it.
class MountExports {
 public:
  /// `warn` is told, once, of each mount that cannot be saved.
  MountExports(Store& store, const Graph& graph, std::function<void(std::string)> warn)
      : store_(store), graph_(graph), warn_(std::move(warn)) {}

  struct Wanted {
    MountSelection mounts;
    std::uint64_t most_bytes = kDefaultMostMountBytes;  ///< of one mount, on disk
    LayerOptions layers;
  };
  /// The mounts of the graph's steps; with content those that this process had in use and nobody uses now.
  /// Throws Cancelled.
  MountUpload collect(const Wanted& wanted, const std::stop_token& stop);

 private:
  void warn_of_unknown(const MountSelection& mounts, const std::set<CacheMountUse>& uses);
  std::optional<Layer> packed(const CacheMountUse& use, const Wanted& wanted, const std::stop_token& stop);

  Store& store_;
  const Graph& graph_;
  const std::function<void(std::string)> warn_;
  std::map<std::pair<std::string, std::string>, std::optional<Layer>> packed_;  ///< by name and how
};

}  // namespace slipway
