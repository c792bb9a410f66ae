#pragma once
// Publishing is atomic: blobs and manifests of every platform are in place before any tag moves, then all
// tags move.
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "build/cache_export.h"
#include "build/cache_import.h"
#include "content/store.h"
#include "manifest/image_ref.h"
#include "nodes/image_source.h"
#include "registry/client.h"

namespace slipway {

class Publisher {
 public:
  /// `caches` (null: none) may hold layers that are not in the store. What is being saved to (`saved`, null:
  /// nothing) may have a layer in another repository of the registry.
  Publisher(Store& store, RegistryClient& registry, ImageSource& images, CacheImports* caches = nullptr,
            CacheExports* saved = nullptr)
      : store_(store), registry_(registry), images_(images), caches_(caches), saved_(saved) {}

  /// Layers, config and manifest of one platform, by digest, from the store into every repository that
  /// `names` name. A layer that is in a cache only is not fetched if the repository has it or can mount it;
  /// throws CacheLost where it must be and cannot. Moves no tag. Thread-safe: platforms are uploaded while
  /// others still build.
  void upload_image(const Descriptor& manifest, const std::vector<ImageRef>& names,
                    const ItemProgress& progress, std::stop_token stop);
  /// The index (if `image` is one) by digest, then every tag. If some tags moved and one did not, the error
  /// says which.
  void move_tags(const Descriptor& image, const std::vector<ImageRef>& names, std::stop_token stop);

 private:
  Store& store_;
  RegistryClient& registry_;
  ImageSource& images_;
  CacheImports* const caches_;
  CacheExports* const saved_;
};

}  // namespace slipway
