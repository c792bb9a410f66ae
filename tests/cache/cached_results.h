#pragma once
// Made-up results for tests of caches.
#include <string>
#include <vector>

#include "base/strings.h"
#include "cache/cache_content.h"
#include "manifest/media_types.h"

namespace slipway::testing_support {

inline constexpr std::int64_t kThen = 1'700'000'000;

/// A layer whose blob is its name.
inline CachedLayer cached_layer(const std::string& name, std::int64_t created = kThen) {
  return {.descriptor = {.media_type = std::string(media_type::kOciLayerGzip),
                         .digest = Digest::of(name),
                         .size = name.size()},
          .diff_id = Digest::of(concat("the tar of ", name)),
          .created = created};
}

inline CachedResult cached_result(const std::string& key, const std::vector<std::string>& layers,
                                  std::int64_t created = kThen) {
  CachedResult result{
      .key = Digest::of(key), .layers = {}, .created = created, .notes = {.description = key}};
  for (const std::string& layer : layers) result.layers.push_back(cached_layer(layer));
  return result;
}

inline std::vector<std::string> blobs_of(const CachedResult& result) {
  std::vector<std::string> blobs;
  for (const CachedLayer& layer : result.layers) blobs.push_back(layer.descriptor.digest.str());
  return blobs;
}

inline std::string blob(const std::string& name) { return Digest::of(name).str(); }

}  // namespace slipway::testing_support
