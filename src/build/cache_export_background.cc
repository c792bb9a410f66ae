// What of a build's saving is done beside it. Only what this store has is handed over: what is in another
// cache is saved at the end, once, if it can still be had.
#include <algorithm>

#include "build/cache_export.h"
#include "nodes/vertex_result.h"

namespace slipway {

namespace {

/// Between two writes of a document. In a directory they are some small files; of a registry or a bucket
/// others want something, too; and in GitHub's service each write is an entry that stays.
std::chrono::milliseconds pause_of(const CacheTarget& target) {
  switch (target.type) {
    case CacheTarget::Type::Local:
      return std::chrono::seconds(1);
    case CacheTarget::Type::Gha:
      return std::chrono::seconds(60);
    default:
      return std::chrono::seconds(20);
  }
}

}  // namespace

void CacheExports::hand_over(FinishedStep step) noexcept {
  if (step.snapshot) background_->add(std::move(step));
}

std::vector<BackgroundSaves::Target> CacheExports::background_targets() {
  std::vector<BackgroundSaves::Target> targets;
  for (const Export& target : exports_)
    targets.push_back({.pause = parts_.pause.value_or(pause_of(target.target)),
                       .send = [this, &target](const FinishedStep& step,
                                               std::stop_token stop) { send(target, step, stop); },
                       .write = [this, &target](const std::vector<FinishedStep>& steps,
                                                std::stop_token stop) { write(target, steps, stop); }});
  return targets;
}

/// As upload_of(), without a word: its step of the progress has not begun.
LayerUpload CacheExports::quiet_upload_of(const Descriptor& blob) {
  return {.layer = blob,
          .open = [this, blob] { return parts_.store.blobs().open(blob.digest); },
          .repositories = [this, blob](const std::string& domain) { return known_repositories(blob, domain); }};
}

// A layer is packed for that now: at the end it would be as well.
void CacheExports::send(const Export& target, const FinishedStep& step, const std::stop_token& stop) {
  for (const CachedResult& result : results_of(target, {step}, stop)) {
    for (const CachedLayer& layer : result.layers) {
      const Digest& digest = layer.descriptor.digest;
      if (target.sent->lock()->contains(digest)) continue;
      target.place->add(quiet_upload_of(layer.descriptor), stop);
      target.sent->lock()->insert(digest);
    }
  }
}

// What is there is kept, however old: the build may still take of it, and `reset` is for the end, too.
void CacheExports::write(const Export& target, const std::vector<FinishedStep>& steps,
                         const std::stop_token& stop) {
  const CacheUpload upload{.results = results_of(target, steps, stop),
                           .layer = [this](const Descriptor& blob) { return quiet_upload_of(blob); },
                           .now = now_seconds(),
                           .keeping = CacheKeeping::everything()};
  if (!upload.results.empty()) add_to_cache(*target.place, upload, stop);
}

std::vector<std::string> CacheExports::repositories_with(const Digest& layer, const std::string& domain) {
  std::vector<std::string> repositories;
  for (const Export& target : exports_)
    if (target.sent->lock()->contains(layer))
      for (std::string& repository : target.place->repositories(domain))
        repositories.push_back(std::move(repository));
  return repositories;
}

}  // namespace slipway
