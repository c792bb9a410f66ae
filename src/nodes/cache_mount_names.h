#pragma once
// The cache mounts of a step by what the store knows them as.
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "nodes/image_source.h"

namespace slipway {

struct CacheMountUse {
  std::string name;      ///< the store's (content/cache_mounts.h)
  std::string id;        ///< as it was given, or the default
  std::string platform;  ///< the step's; empty: any
  auto operator<=>(const CacheMountUse&) const = default;
};

/// Throws InvalidInput for a cache mount without an id.
CacheMountUse cache_mount_use(const Vertex& vertex, const Mount& mount);

/// Each once, in order. Of what cannot have any, none.
std::vector<CacheMountUse> cache_mounts_of(const Vertex& vertex);

/// What a cache mount starts as that the store does not have: makes the directory "new" in `parent` and says
/// true, or does nothing. Thread-safe. Throws Cancelled and what ends the build.
using CacheMountFill = std::function<bool(const CacheMountUse& mount, const std::filesystem::path& parent,
                                          const ItemProgress& progress, std::stop_token stop)>;

}  // namespace slipway
