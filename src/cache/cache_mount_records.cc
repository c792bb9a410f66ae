#include "cache/cache_mount_records.h"

#include <algorithm>

namespace slipway {

namespace {

bool is_for(const CacheConfigMount& mount, const CacheMountKey& key) {
  return mount.platform == key.platform && mount.key == Digest::of(key.name);
}

CacheConfigMount record_of(const CachedMount& mount, std::int64_t now) {
  return {.key = Digest::of(mount.key.name),
          .platform = mount.key.platform,
          .id = mount.id,
          .blob = mount.blob.digest,
          .diff_id = mount.diff_id,
          .media_type = mount.blob.media_type,
          .size = mount.blob.size,
          .saved = now,
          .used = now};
}

}  // namespace

std::optional<CacheConfigMount> find_mount(const std::vector<CacheConfigMount>& mounts,
                                           const CacheMountKey& key) {
  const Digest name = Digest::of(key.name);
  const CacheConfigMount* best = nullptr;
  const auto rank = [&](const CacheConfigMount& mount) {
    return std::pair(mount.platform == key.platform, mount.saved);
  };
  for (const CacheConfigMount& mount : mounts)
    if (mount.key == name && (!best || rank(*best) < rank(mount))) best = &mount;
  return best ? std::optional(*best) : std::nullopt;
}

std::vector<CacheConfigMount> merge_mounts(std::vector<CacheConfigMount> present, const MountUpload& upload,
                                           std::int64_t now, std::int64_t keep_seconds) {
  for (const CachedMount& mount : upload.saved) {
    const auto there =
        std::ranges::find_if(present, [&](const CacheConfigMount& one) { return is_for(one, mount.key); });
    if (there == present.end()) {
      present.push_back(record_of(mount, now));
    } else if (there->blob != mount.blob.digest && there->saved <= now) {
      *there = record_of(mount, now);
    }
  }
  for (CacheConfigMount& mount : present)
    if (std::ranges::any_of(upload.used, [&](const CacheMountKey& key) { return is_for(mount, key); }))
      mount.used = std::max(mount.used, now);
  std::erase_if(present, [&](const CacheConfigMount& mount) { return mount.used < now - keep_seconds; });
  return present;
}

bool contains_mounts(const std::vector<CacheConfigMount>& mounts, const MountUpload& upload, std::int64_t now,
                     std::int64_t stale_seconds) {
  const bool all_saved = std::ranges::all_of(upload.saved, [&](const CachedMount& mount) {
    return std::ranges::any_of(mounts, [&](const CacheConfigMount& there) {
      return is_for(there, mount.key) && (there.blob == mount.blob.digest || there.saved >= now);
    });
  });
  return all_saved && std::ranges::none_of(mounts, [&](const CacheConfigMount& there) {
           return there.used < now - stale_seconds &&
                  std::ranges::any_of(upload.used,
                                      [&](const CacheMountKey& key) { return is_for(there, key); });
         });
}

}  // namespace slipway
