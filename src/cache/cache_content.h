#pragma once
// What slipway keeps in a layer cache outside the store: for a step's key, the layers of its result, base
// first, with what is needed to make a snapshot of them. A key covers all that the step reads, by definition
// (cache_key.h) or by content (content_key.h), so its record has no links to others, and caches of different
// builds and platforms can be laid together. A step has a record under either key.
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "cache/cache_config.h"
#include "manifest/oci.h"

namespace slipway {

struct CachedLayer {
  Descriptor descriptor;  ///< type, digest and size only
  Digest diff_id;
  std::int64_t created = 0;  ///< when the step that made it ended, seconds since the epoch
};

struct CachedResult {
  Digest key;
  std::vector<CachedLayer> layers;  ///< base first, never empty
  std::int64_t created = 0;
  CacheNotes notes;
};

/// Seconds since the epoch of an RFC 3339 time; nothing if it is none.
std::optional<std::int64_t> parse_rfc3339(std::string_view text);

/// Finds results by key. Immutable, thread-safe. What others keep in the same cache under keys of theirs
/// (records with links, layers without diff ids) is no result.
class CacheContent {
 public:
  explicit CacheContent(CacheConfig config);
  std::optional<CachedResult> find(const Digest& key) const;
  std::size_t size() const { return newest_.size(); }
  bool has_layer(const Digest& blob) const { return blobs_.contains(blob); }

 private:
  struct Place {
    std::size_t record = 0;
    int layer = -1;
    std::int64_t created = 0;
  };
  CacheConfig config_;
  std::map<Digest, Place> newest_;
  std::map<Digest, std::size_t> blobs_;
};

/// How much a cache keeps of what the exports that share it no longer use.
struct CacheKeeping {
  std::int64_t seconds = std::int64_t{14} * 24 * 3600;
  std::size_t most_layers = 4000;

  /// Nothing is left out.
  static CacheKeeping everything() {
    return {.seconds = std::numeric_limits<std::int64_t>::max() / 2,
            .most_layers = std::numeric_limits<std::size_t>::max()};
  }
};

/// Whether a place has a blob that its document lists.
using HoldsBlob = std::function<bool(const Digest& blob, std::uint64_t size)>;

/// Without the results and mounts that need a blob which is not held.
CacheConfig without_lost_blobs(CacheConfig config, const HoldsBlob& holds);

/// `present` with `results` added, all of them as used at `now`. Of two results of one key the newer stays.
/// Records unused for longer than `keeping` says, and the longest unused beyond its size, are left out, with
/// the layers that only they had.
CacheConfig merge_cache(CacheConfig present, const std::vector<CachedResult>& results, std::int64_t now,
                        const CacheKeeping& keeping = {});

/// `other` laid beside `config`: indices are moved, nothing is compared.
void append_cache(CacheConfig& config, CacheConfig other);

/// Whether every one of `results`, or a newer one of its key, is in `config` as used no longer than
/// `stale_seconds` before `now`.
bool contains_results(const CacheConfig& config, const std::vector<CachedResult>& results, std::int64_t now,
                      std::int64_t stale_seconds);

}  // namespace slipway
