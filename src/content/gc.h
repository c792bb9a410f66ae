#pragma once
// The collection of garbage at the end of a build: policies, one after another, each of which prunes
// (store_prune.h) once the store has grown beyond what it allows or something has grown old. Whether that is
// so is told from recorded sizes (store_sizes.h): a build that changed nothing does not look at the disk.
#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "content/store_prune.h"

namespace slipway {

class Store;

struct GcPolicy {
  std::string text;  ///< all of its settings: what was found of it holds as long as this is the same
  PruneRequest request;
};

struct GcResult {
  std::uint64_t removed = 0;  ///< records
  std::uint64_t freed = 0;    ///< their sizes
};

/// Ends this process's leases: call it when nothing of the build is used any more. Throws as prune_store.
GcResult collect_garbage(Store& store, const std::vector<GcPolicy>& policies, std::stop_token stop);

}  // namespace slipway
