#include "content/layers.h"

#include "base/error.h"
#include "base/strings.h"
#include "content/chunk_compressor.h"
#include "content/cpu_slots.h"
#include "content/database.h"
#include "content/layer_pack.h"
#include "content/layer_sink.h"
#include "content/layers_internal.h"
#include "content/owner_view.h"
#include "content/store.h"
#include "manifest/media_types.h"

namespace slipway {

std::string LayerOptions::key() const {
  std::string key;
  switch (compression) {
    case Compression::None:
      key = "none";
      break;
    case Compression::Gzip:
      key = "gzip";
      break;
    case Compression::Zstd:
      key = "zstd";
      break;
  }
  if (level >= 0 && compression != Compression::None && level != default_level(compression))
    key += concat("-l", level);
  if (clamp_mtime) key += concat("@", *clamp_mtime);
  return key;
}

std::string_view layer_media_type(Compression compression) {
  switch (compression) {
    case Compression::None:
      return media_type::kOciLayerTar;
    case Compression::Gzip:
      return media_type::kOciLayerGzip;
    case Compression::Zstd:
      return media_type::kOciLayerZstd;
  }
  return media_type::kOciLayerTar;
}

Layer LayerSink::Packed::commit(Compression compression) {
  const BlobInfo info = blob.commit();
  return {.descriptor = {.media_type = std::string(layer_media_type(compression)),
                         .digest = info.digest,
                         .size = info.size,
                         .platform = {},
                         .annotations = {},
                         .artifact_type = {}},
          .diff_id = diff_id};
}

namespace {

Layer layer_from(Database::LayerRecord record) {
  return {.descriptor = {.media_type = std::move(record.media_type),
                         .digest = std::move(record.digest),
                         .size = record.size,
                         .platform = {},
                         .annotations = {},
                         .artifact_type = {}},
          .diff_id = std::move(record.diff_id)};
}

/// A blob of another size is none.
bool has_blob(Store& store, const Descriptor& layer) {
  const auto size = store.blobs().size(layer.digest);
  if (!size || *size == layer.size) return size.has_value();
  store.logger().log(LogLevel::Warning,
                     concat("layer ", layer.digest.str(), " is damaged in the store: it has ", *size,
                            " bytes instead of ", layer.size));
  store.blobs().remove_if_damaged(layer.digest);
  return false;
}

std::optional<Layer> recorded(Store& store, SnapshotId snapshot, const std::string& variant) {
  auto record = store.database().find_layer(snapshot, variant);
  if (!record) return std::nullopt;
  Layer layer = layer_from(*std::move(record));
  return has_blob(store, layer.descriptor) ? std::optional(std::move(layer)) : std::nullopt;
}

/// Waits for who packs the same: an image is assembled while its layers are on their way into caches.
StepLock take_turn(Store& store, const Digest& key, const std::stop_token& stop) {
  while (true) {
    if (auto turn = store.step_locks().try_acquire(key)) return std::move(*turn);
    store.step_locks().wait(key, stop);
  }
}

/// The layer that the snapshot was unpacked from, if it was and there is a way to have it.
std::optional<Layer> pulled(Store& store, SnapshotId snapshot, const LayerOptions& options,
                            const std::stop_token& stop) {
  auto record = store.database().find_layer(snapshot, std::string(kPulledVariant));
  if (!record) return std::nullopt;
  Layer layer = layer_from(*std::move(record));
  if (has_blob(store, layer.descriptor)) return layer;
  std::string why;
  try {
    if (options.fetch_again) {
      options.fetch_again(layer.descriptor, stop);
      return layer;
    }
  } catch (const Error& e) {
    why = concat(" (", std::string_view(e.what()), ")");
  }
  store.logger().log(LogLevel::Warning, concat("layer ", layer.descriptor.digest.str(),
                                               " of a base image is lost and could not be fetched again", why,
                                               ": it is packed anew, so its digest is another"));
  return std::nullopt;
}

LayerSink::Packed pack(Store& store, SnapshotId snapshot, const LayerOptions& options,
                       const std::stop_token& stop) {
  LayerSink sink(store.blobs(), options, stop);
  LayerTar tar([&sink](std::string_view bytes) { sink.add(bytes); }, options.clamp_mtime);
  pack_snapshot(store.snapshots(), snapshot, tar, stop);
  tar.close();
  return sink.finish();
}

}  // namespace

Digest pack_turn(SnapshotId snapshot, std::string_view variant) {
  return Digest::of(concat("slipway.pack.v1\n", snapshot.value, "\n", variant));
}

Layer layer_of(Store& store, SnapshotId snapshot, const LayerOptions& options, std::stop_token stop) {
  if (auto as_it_came = pulled(store, snapshot, options, stop)) return *as_it_came;
  const std::string variant = options.key();
  if (auto known = recorded(store, snapshot, variant)) return *known;
  if (const auto source = store.database().find_layer_source(snapshot)) {
    Layer layer = layer_of(store, *source, options, stop);
    store.database().put_layer(snapshot, variant,
                               {.media_type = layer.descriptor.media_type,
                                .digest = layer.descriptor.digest,
                                .size = layer.descriptor.size,
                                .diff_id = layer.diff_id});
    return layer;
  }
  const StepLock turn = take_turn(store, pack_turn(snapshot, variant), stop);
  if (auto known = recorded(store, snapshot, variant)) return *known;  // by who had the turn before
  LayerSink::Packed packed = in_cpu_slot([&] { return pack(store, snapshot, options, stop); });
  Layer layer = packed.commit(options.compression);
  store.database().put_layer(snapshot, variant,
                             {.media_type = layer.descriptor.media_type,
                              .digest = layer.descriptor.digest,
                              .size = layer.descriptor.size,
                              .diff_id = layer.diff_id});
  return layer;
}

StepLock take_unpack_turn(Store& store, const Digest& chain, const std::stop_token& stop) {
  return take_turn(store, Digest::of(concat("unpacking ", chain_here(chain).str())), stop);
}

Digest chain_here(const Digest& chain) {
  return OwnerView().knows_root_only() ? Digest::of(concat("root's files only of ", chain.str())) : chain;
}

std::optional<SnapshotId> find_unpacked(Store& store, const Digest& chain) {
  const auto id = store.database().find_chain(chain_here(chain));
  if (!id || !store.is_whole(*id)) return std::nullopt;
  return id;
}

Digest chain_id(const std::optional<Digest>& parent_chain, const Digest& diff_id) {
  if (!parent_chain) return diff_id;
  return Digest::of(concat(parent_chain->str(), " ", diff_id.str()));
}

}  // namespace slipway
