#include "build/cache_export.h"

#include <cmath>
#include <exception>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "nodes/vertex_result.h"

namespace slipway {

namespace {

constexpr std::size_t kLongestDescription = 120;

std::string platforms_of(const Vertex& vertex) {
  std::vector<std::string> names;
  for (const Platform& lane : vertex.lanes) names.push_back(lane.str());
  return join(names, ",");
}

CacheNotes notes_of(const FinishedStep& step) {
  CacheNotes notes{.description = step.description.substr(0, kLongestDescription),
                   .platform = platforms_of(*step.vertex),
                   .milliseconds = std::llround(step.seconds * 1000),
                   .used = 0,
                   .tree = step.tree,
                   .emulation = step.emulation};
  if (notes.milliseconds == 0 && step.remote) notes.milliseconds = step.remote->result.notes.milliseconds;
  return notes;
}

/// What a registry refuses is told as such (exit 4), all else as a fault of what is around the build.
std::exception_ptr failure_of_saving(const std::string& message, const Error& e) {
  const std::string hint = concat(e.hint(), e.hint().empty() ? "" : "; ",
                                  "the build itself succeeded: with ignore-error=true this is a warning");
  const auto told = [&](auto failure) {
    failure.set_hint(hint);
    return std::make_exception_ptr(std::move(failure));
  };
  return dynamic_cast<const Denied*>(&e) ? told(Denied(message)) : told(HostError(message));
}

/// Its index.json would come to list the cache instead of the images.
void refuse_store(const CacheTarget& target, const Store& store) {
  std::error_code is_not_there;
  if (target.type != CacheTarget::Type::Local ||
      !std::filesystem::equivalent(target.directory, store.root(), is_not_there))
    return;
  UsageError error(concat("--cache-to: ", target.directory.native(), " is slipway's own store"));
  error.set_hint("a cache needs a directory of its own");
  throw error;
}

}  // namespace

CacheExports::CacheExports(const std::vector<CacheTarget>& targets, Parts parts)
    : parts_(std::move(parts)), mounts_(parts_.store, parts_.graph, [this](std::string message) {
        parts_.progress.emit(
            Warned{.message = std::move(message), .rule = {}, .description = {}, .where = {}});
      }) {
  // A base image's layer that the store has lost comes from where the image came from.
  parts_.layers.fetch_again = [&images = parts_.images](const Descriptor& layer, const std::stop_token& stop) {
    images.fetch_again(layer, stop);
  };
  for (const CacheTarget& target : targets) {
    if (target.type == CacheTarget::Type::Inline) continue;
    refuse_store(target, parts_.store);
    LayerOptions layers = parts_.layers;
    layers.clamp_mtime.reset();  // a step that runs on a cached result must see the times that were
    if (target.compression) {
      layers.compression = target.compression->compression;
      layers.level = target.compression->level;
    }
    exports_.push_back({.id = concat("cache ", exports_.size()),
                        .target = target,
                        .layers = layers,
                        .place = place_of(target, parts_.registry, parts_.store.logger()),
                        .sent = std::make_unique<Synchronized<std::set<Digest>>>()});
  }
  background_.emplace(background_targets());
}

CacheExports::~CacheExports() = default;

void CacheExports::announce() {
  for (const Export& target : exports_)
    parts_.progress.emit(StepPlanned{
        .id = target.id, .name = concat("saving to ", target.place->name()), .lane = {}, .inputs = {}});
}

void CacheExports::run(const std::vector<FinishedStep>& steps, After after, std::stop_token stop) {
  background_->end(stop);
  std::exception_ptr failure;
  for (const Export& target : exports_) {
    parts_.progress.emit(StepStarted{.id = target.id, .how = {}, .isolation = {}});
    StepFinished finished{.id = target.id, .end = StepEnd::Done, .error = {}};
    try {
      save(target, steps, stop);
    } catch (const Cancelled&) {
      finished.end = StepEnd::Cancelled;
      parts_.progress.emit(std::move(finished));
      throw;
    } catch (const Error& e) {
      finished.end = StepEnd::Failed;
      finished.error = e.what();
      const std::string message = concat("saving to ", target.place->name(), ": ", e.what());
      if (after == After::Success && !target.target.ignore_error) {
        if (!failure) failure = failure_of_saving(message, e);
      } else {
        parts_.progress.emit(Warned{.message = message, .rule = {}, .description = {}, .where = {}});
      }
    }
    parts_.progress.emit(std::move(finished));
  }
  if (failure) std::rethrow_exception(failure);
}

MountExports::Wanted CacheExports::wanted_mounts(const Export& target) {
  LayerOptions layers{.compression = Compression::Zstd};
  if (target.target.compression) layers = target.layers;
  return {.mounts = target.target.mounts, .most_bytes = target.target.most_mount_bytes, .layers = layers};
}

void CacheExports::save(const Export& target, const std::vector<FinishedStep>& steps,
                        const std::stop_token& stop) {
  CacheUpload upload{.results = results_of(target, steps, stop),
                     .mounts = mounts_.collect(wanted_mounts(target), stop),
                     .layer = [&](const Descriptor& blob) { return upload_of(blob, target.id, stop); },
                     .now = now_seconds(),
                     .reset = target.target.reset};
  if (upload.results.empty() && upload.mounts.saved.empty()) return;
  try {
    add_to_cache(*target.place, upload, stop);
  } catch (const CacheLost& lost) {
    // What was taken from another cache cannot be handed on. What was made here can.
    parts_.imports.lose(lost);
    std::vector<FinishedStep> own;
    for (const FinishedStep& step : steps)
      if (step.snapshot) own.push_back(step);
    upload.results = results_of(target, own, stop);
    if (!upload.results.empty() || !upload.mounts.saved.empty()) add_to_cache(*target.place, upload, stop);
  }
}

std::vector<CachedResult> CacheExports::results_of(const Export& target,
                                                   const std::vector<FinishedStep>& steps,
                                                   const std::stop_token& stop) {
  std::vector<CachedResult> results;
  for (const FinishedStep& step : steps) {
    if (!target.target.all_steps && !step.in_image) continue;
    // Under either of its keys: by content it is also found where what it reads was made in another way.
    CachedResult result{.key = step.key, .layers = {}, .created = 0, .notes = notes_of(step)};
    if (step.snapshot) {
      try {
        result.layers = layers_of(*step.snapshot, target.layers, stop);
      } catch (const NotFound&) {
        continue;  // pruned since it was looked up
      }
      result.created = result.layers.back().created;
    } else {
      result.layers = step.remote->result.layers;
      result.created = step.remote->result.created;
    }
    if (step.content) {
      results.push_back(result);
      result.key = *step.content;
    }
    results.push_back(std::move(result));
  }
  return results;
}

std::vector<CachedLayer> CacheExports::layers_of(SnapshotId snapshot, const LayerOptions& options,
                                                 const std::stop_token& stop) {
  std::vector<CachedLayer> layers;
  for (const SnapshotId id : parts_.store.snapshots().layers(snapshot)) {
    const auto place = std::pair(id, options.key());
    auto known = packed_.find(place);
    if (known == packed_.end()) {
      Layer layer = layer_of(parts_.store, id, options, stop);
      known = packed_
                  .emplace(place, CachedLayer{.descriptor = std::move(layer.descriptor),
                                              .diff_id = std::move(layer.diff_id),
                                              .created = parts_.store.snapshots().info(id).created})
                  .first;
    }
    layers.push_back(known->second);
  }
  return layers;
}

LayerUpload CacheExports::upload_of(const Descriptor& blob, const std::string& id,
                                    const std::stop_token& stop) {
  const auto progress = [this, id](const std::string& item, std::uint64_t current, std::uint64_t total) {
    parts_.progress.emit(
        BytesMoved{.id = id, .item = item, .current = current, .total = total, .done = current == total});
  };
  return {.layer = blob,
          .open =
              [this, blob, progress, stop] {
                parts_.imports.fetch_blob(blob, progress, stop);
                return parts_.store.blobs().open(blob.digest);
              },
          .repositories =
              [this, blob](const std::string& domain) {
                std::vector<std::string> repositories = known_repositories(blob, domain);
                for (const ImageRef& pushed : parts_.pushed)
                  if (pushed.domain() == domain) repositories.push_back(pushed.repository());
                return repositories;
              }};
}

/// Of the caches that the build reads and of the images that it is based on.
std::vector<std::string> CacheExports::known_repositories(const Descriptor& blob, const std::string& domain) {
  std::vector<std::string> repositories = parts_.imports.repositories_with(blob.digest, domain);
  for (std::string& base : parts_.images.repositories_with(blob.digest, domain))
    repositories.push_back(std::move(base));
  return repositories;
}

}  // namespace slipway
