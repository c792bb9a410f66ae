#include "build/mount_export.h"

#include <set>

#include "base/error.h"
#include "base/strings.h"
#include "content/cache_mount_layer.h"

namespace slipway {

MountUpload MountExports::collect(const Wanted& wanted, const std::stop_token& stop) {
  MountUpload upload;
  if (wanted.mounts.empty()) return upload;
  std::set<CacheMountUse> uses;
  for (const Vertex& vertex : graph_.vertices())
    for (CacheMountUse& use : cache_mounts_of(vertex))
      if (wanted.mounts.has(use.id)) uses.insert(std::move(use));
  for (const CacheMountUse& use : uses) {
    const CacheMountKey key{.name = use.name, .platform = use.platform};
    upload.used.push_back(key);
    if (!store_.cache_mounts().has_used(use.name)) continue;
    if (const auto layer = packed(use, wanted, stop))
      upload.saved.push_back(
          {.key = key, .id = use.id, .blob = layer->descriptor, .diff_id = layer->diff_id});
  }
  return upload;
}

std::optional<Layer> MountExports::packed(const CacheMountUse& use, const Wanted& wanted,
                                          const std::stop_token& stop) {
  const auto place = std::pair(use.name, concat(wanted.layers.key(), " ", wanted.most_bytes));
  if (const auto known = packed_.find(place); known != packed_.end()) return known->second;
  std::optional<Layer>& layer = packed_[place];
  std::string problem;
  const auto look = [&](const std::filesystem::path& copy) {
    const std::uint64_t size = size_of_cache_mount(copy, stop);
    if (size > wanted.most_bytes) {
      problem =
          concat("holds ", human_bytes(size), ", more than mounts-max-size=", human_bytes(wanted.most_bytes));
    } else {
      layer = pack_cache_mount(store_, copy, wanted.layers, stop);
    }
  };
  try {
    if (store_.cache_mounts().look_at(use.name, look) == CacheMounts::Look::InUse)
      problem = "is in use by another build";
  } catch (const Error& e) {  // the steps' results can be saved all the same
    problem = concat("cannot be packed: ", e.what());
  }
  if (!problem.empty()) warn_(concat("the cache mount \"", use.id, "\" ", problem, "; it is not saved"));
  return layer;
}

}  // namespace slipway
