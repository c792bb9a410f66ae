#pragma once
// Adds results to a cache that others write to at the same time. Nobody's records are lost: what is there is
// read, the new results are merged in, and what was written is looked at again until it has lasted.
#include <cstdint>
#include <functional>
#include <stop_token>
#include <vector>

#include "cache/cache_content.h"
#include "cache/cache_mount_records.h"
#include "cache/cache_place.h"

namespace slipway {

struct CacheUpload {
  std::vector<CachedResult> results;
  MountUpload mounts = {};
  /// How to get each of their blobs there.
  std::function<LayerUpload(const Descriptor& blob)> layer;
  std::int64_t now = 0;  ///< seconds since the epoch
  bool reset = false;    ///< what was there is dropped instead
  CacheKeeping keeping = {};
};

/// Blocking. Throws InvalidInput if what is there is not slipway's to replace, HostError if others never stop
/// writing, and what the place throws.
void add_to_cache(CachePlace& place, const CacheUpload& upload, std::stop_token stop);

}  // namespace slipway
