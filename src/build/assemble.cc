#include "build/assemble.h"

#include <algorithm>

#include "base/check.h"
#include "base/error.h"
#include "base/strings.h"
#include "manifest/media_types.h"

namespace slipway {

namespace {

/// A record of the store says what is not so: what makes it cannot be known here.
[[noreturn]] void refuse_layers(const dockerfile::LoweredLane& lane, std::size_t layers) {
  IntegrityError error(concat("what is recorded as the result for ", lane.platform.str(), " has ", layers,
                              " layers; its steps make ", layer_count(lane)));
  error.set_hint("build with --no-cache, which makes it anew");
  throw error;
}

/// Times for the new history entries: a layer's entry has the time of its step, the others that of the layer
/// before, or of the first layer if there is none before.
void date_history(ImageConfig& config, const dockerfile::LoweredLane& lane,
                  const std::vector<std::string>& layer_times, const std::optional<std::int64_t>& epoch) {
  std::string last = lane.base_history > 0 ? config.history[lane.base_history - 1].created : "";
  if (last.empty() && lane.base_layers < layer_times.size()) last = layer_times[lane.base_layers];
  std::size_t layer = lane.base_layers;
  for (std::size_t i = lane.base_history; i < config.history.size(); ++i) {
    History& entry = config.history[i];
    if (!entry.empty_layer) {
      if (layer == layer_times.size()) refuse_layers(lane, layer_times.size());
      last = layer_times[layer++];
    }
    entry.created = epoch ? rfc3339(*epoch) : last;
  }
  if (layer != layer_times.size()) refuse_layers(lane, layer_times.size());
  config.created = epoch ? rfc3339(*epoch) : last;
}

}  // namespace

Descriptor put_document(Store& store, std::string_view media_type, const std::string& bytes) {
  const BlobInfo blob = store.blobs().put(bytes);
  return {.media_type = std::string(media_type), .digest = blob.digest, .size = blob.size};
}

std::uint64_t AssembledImage::size() const {
  std::uint64_t total = config.size;
  for (const Descriptor& layer : layers) total += layer.size;
  return total;
}

std::size_t layer_count(const dockerfile::LoweredLane& lane) {
  const auto begin = lane.config.history.begin() + static_cast<std::ptrdiff_t>(lane.base_history);
  return lane.base_layers + static_cast<std::size_t>(std::ranges::count(begin, lane.config.history.end(),
                                                                        false, &History::empty_layer));
}

AssembledImage assemble_image(Store& store, const dockerfile::LoweredLane& lane,
                              const std::optional<SnapshotId>& snapshot, const AssembleOptions& options,
                              std::stop_token stop) {
  std::vector<DatedLayer> layers;
  if (snapshot)
    for (const SnapshotId id : store.snapshots().layers(*snapshot))
      layers.push_back({.layer = layer_of(store, id, options.layers, stop),
                        .created = store.snapshots().info(id).created});
  AssembledImage image = assemble_image(store, lane, layers, options);
  image.tree = snapshot;
  return image;
}

AssembledImage assemble_image(Store& store, const dockerfile::LoweredLane& lane,
                              const std::vector<DatedLayer>& layers, const AssembleOptions& options) {
  ImageConfig config = lane.config;
  // A final stage may be pinned to another platform; the image is still the one that was asked for.
  config.platform = lane.platform;
  config.diff_ids.clear();
  Manifest manifest{.media_type = std::string(media_type::kOciManifest)};
  std::vector<std::string> times;
  for (const DatedLayer& dated : layers) {
    times.push_back(rfc3339(dated.created));
    config.diff_ids.push_back(dated.layer.diff_id);
    manifest.layers.push_back(dated.layer.descriptor);
  }
  config.inline_cache = options.inline_cache;
  if (lane.history_of_layers) config.history.assign(times.size(), {.created_by = "slipway build --llb"});
  date_history(config, lane, times, options.epoch);
  AssembledImage image{
      .manifest = {.digest = Digest::of("")}, .config = {.digest = Digest::of("")}, .layers = {}, .tree = {}};
  image.config = put_document(store, media_type::kOciConfig, to_json(config));
  manifest.config = image.config;
  image.manifest = put_document(store, media_type::kOciManifest, to_json(manifest));
  image.manifest.platform = config.platform;
  image.layers = std::move(manifest.layers);
  return image;
}

Descriptor assemble_index(Store& store, const std::vector<AssembledImage>& images, bool always_index,
                          const std::vector<Descriptor>& attestations) {
  SLIPWAY_CHECK(!images.empty(), "a build has at least one platform");
  if (images.size() == 1 && attestations.empty() && !always_index) return images.front().manifest;
  Index index{.media_type = std::string(media_type::kOciIndex)};
  for (const AssembledImage& image : images) index.manifests.push_back(image.manifest);
  for (const Descriptor& attestation : attestations) index.manifests.push_back(attestation);
  return put_document(store, media_type::kOciIndex, to_json(index));
}

}  // namespace slipway
