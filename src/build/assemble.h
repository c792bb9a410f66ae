#pragma once
// From a lane's last snapshot to its image: layers, config, manifest as blobs in the store.
#include <cstdint>
#include <optional>
#include <stop_token>
#include <vector>

#include "content/layers.h"
#include "content/store.h"
#include "dockerfile/lower.h"
#include "manifest/oci.h"

namespace slipway {

struct AssembledImage {
  Descriptor manifest;  ///< with its platform
  Descriptor config;
  std::vector<Descriptor> layers;  ///< base first
  std::optional<SnapshotId> tree;  ///< the whole file system; nothing if it is empty
  std::uint64_t size() const;      ///< config and layers
};

struct AssembleOptions {
  LayerOptions layers;
  /// SOURCE_DATE_EPOCH: the `created` of the image and of its new history, in place of the steps' own times.
  std::optional<std::int64_t> epoch;
  /// BuildKit's inline cache for the image's config; empty: none.
  std::string inline_cache = {};
};

/// A layer, and when the step that made it ended, in seconds since the epoch.
struct DatedLayer {
  Layer layer;
  std::int64_t created = 0;
};

/// How many layers the lane's image has: those of its base and one for each instruction that makes one. Of a
/// lane with history_of_layers the layers decide.
std::size_t layer_count(const dockerfile::LoweredLane& lane);

/// Deterministic in the lane, the snapshots and the options. Packs what was not packed before.
AssembledImage assemble_image(Store& store, const dockerfile::LoweredLane& lane,
                              const std::optional<SnapshotId>& snapshot, const AssembleOptions& options,
                              std::stop_token stop);

/// The same from layers, whose blobs need not be in the store; as many as layer_count()
/// says.
AssembledImage assemble_image(Store& store, const dockerfile::LoweredLane& lane,
                              const std::vector<DatedLayer>& layers, const AssembleOptions& options);

/// Puts a JSON document in the store as a blob.
Descriptor put_document(Store& store, std::string_view media_type, const std::string& bytes);

/// The descriptor that names refer to: an index over all images and then `attestations`, put in the store, or
/// the manifest itself if there is one image, nothing about it, and `always_index` is false.
Descriptor assemble_index(Store& store, const std::vector<AssembledImage>& images, bool always_index,
                          const std::vector<Descriptor>& attestations = {});

}  // namespace slipway
