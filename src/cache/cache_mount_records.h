#pragma once
// The content of cache mounts as a layer cache keeps it, beside the steps' results: for a mount and a
// platform that which was saved last.
#include <optional>
#include <string>
#include <vector>

#include "cache/cache_config.h"
#include "manifest/oci.h"

namespace slipway {

/// A cache mount as a step uses it.
struct CacheMountKey {
  std::string name;  ///< the store's (content/cache_mounts.h)
  std::string platform;
  bool operator==(const CacheMountKey&) const = default;
};

struct CachedMount {
  CacheMountKey key;
  std::string id;  ///< for people
  Descriptor blob;
  Digest diff_id;
};

/// What an export has of cache mounts.
struct MountUpload {
  std::vector<CachedMount> saved;
  std::vector<CacheMountKey> used;  ///< what is there of these is not dropped, though it is not saved anew
};

/// The content for that mount and platform, else the newest for that mount.
std::optional<CacheConfigMount> find_mount(const std::vector<CacheConfigMount>& mounts,
                                           const CacheMountKey& key);

/// `present` with `upload` in it, as saved at `now`; what is there already stays as old as it is. What no
/// export used for `keep_seconds` is left out.
std::vector<CacheConfigMount> merge_mounts(std::vector<CacheConfigMount> present, const MountUpload& upload,
                                           std::int64_t now, std::int64_t keep_seconds);

/// Whether all of `upload`, or what others saved at `now` or later in its place, is there as used no longer
/// than `stale_seconds` before `now`.
bool contains_mounts(const std::vector<CacheConfigMount>& mounts, const MountUpload& upload, std::int64_t now,
                     std::int64_t stale_seconds);

}  // namespace slipway
