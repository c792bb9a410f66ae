#include "cache/cache_writer.h"

#include <random>
#include <set>

#include "base/error.h"
#include "base/strings.h"
#include "registry/retry.h"

namespace slipway {

namespace {

constexpr int kMostTries = 20;
/// Records say when they were used last; a cache that has them all is written again this often for that.
constexpr std::int64_t kRefreshSeconds = std::int64_t{24} * 3600;

class Writer {
 public:
  Writer(CachePlace& place, const CacheUpload& upload, std::stop_token stop)
      : place_(place), upload_(upload), stop_(std::move(stop)), random_(std::random_device{}()) {}

  void run() {
    FoundCache present = read();
    bool reset = upload_.reset;
    if (!reset && is_there(present, kRefreshSeconds)) return;
    for (int attempt = 1; attempt <= kMostTries; ++attempt) {
      if (try_once(present, reset)) reset = false;
      // Whether we wrote it or somebody who merged ours in: it must be there when all is quiet.
      wait_for_others(attempt);
      present = read();
      if (!reset && is_there(present, 0)) return;
    }
    throw HostError(concat(place_.name(), " was written by others each of the ", kMostTries,
                           " times that something was to be added"));
  }

 private:
  /// What it lists and has lost is to be saved again.
  FoundCache read() {
    FoundCache found = place_.read(stop_);
    found.config = without_lost_blobs(
        std::move(found.config),
        [this](const Digest& blob, std::uint64_t size) { return place_.holds(blob, size); });
    return found;
  }

  bool is_there(const FoundCache& found, std::int64_t stale_seconds) const {
    return found.kind == FoundCache::Kind::Cache &&
           contains_results(found.config, upload_.results, upload_.now, stale_seconds) &&
           contains_mounts(found.config.mounts, upload_.mounts, upload_.now, stale_seconds);
  }

  bool try_once(const FoundCache& present, bool reset) {
    if (present.kind == FoundCache::Kind::Image)
      throw InvalidInput(concat(place_.name(), " is an image and would be replaced; choose another name"));
    if (present.kind == FoundCache::Kind::Other)
      throw InvalidInput(concat(place_.name(), " cannot be added to: it ", present.problem));
    CacheConfig before;
    if (present.kind == FoundCache::Kind::Cache && !reset) before = present.config;
    CacheConfig merged = merge_cache(std::move(before), upload_.results, upload_.now, upload_.keeping);
    merged.mounts =
        merge_mounts(std::move(merged.mounts), upload_.mounts, upload_.now, upload_.keeping.seconds);
    std::set<Digest> added;
    for (const CachedResult& result : upload_.results)
      for (const CachedLayer& layer : result.layers)
        if (added.insert(layer.descriptor.digest).second) place_.add(upload_.layer(layer.descriptor), stop_);
    for (const CachedMount& mount : upload_.mounts.saved)
      if (added.insert(mount.blob.digest).second) place_.add(upload_.layer(mount.blob), stop_);
    return place_.write(merged, present.version, stop_);
  }

  // Jittered: writers that met once do not meet again in step.
  void wait_for_others(int attempt) {
    const double least = std::chrono::duration<double>(place_.doubt()).count();
    const double more = attempt == 1 ? least : 0.005 * attempt + least;
    if (least == 0 && attempt == 1) return;
    sleep_unless_stopped(Seconds(least + std::uniform_real_distribution<double>(0, more)(random_)), stop_);
  }

  CachePlace& place_;
  const CacheUpload& upload_;
  const std::stop_token stop_;
  std::minstd_rand random_;
};

}  // namespace

void add_to_cache(CachePlace& place, const CacheUpload& upload, std::stop_token stop) {
  Writer(place, upload, std::move(stop)).run();
}

}  // namespace slipway
