#include "build/mount_export.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/strings.h"
#include "content/cache_mount_layer.h"

namespace slipway {

namespace {

std::set<CacheMountUse> as_set(const std::vector<CacheMountUse>& uses) { return {uses.begin(), uses.end()}; }

}  // namespace

/// An id that no step has is most likely a typing error.
void MountExports::warn_of_unknown(const MountSelection& mounts, const std::set<CacheMountUse>& uses) {
  std::vector<std::string> ids;
  ids.reserve(uses.size());
  for (const CacheMountUse& use : uses) ids.push_back(use.id.substr(0, use.id.find('@')));
  for (const std::string& wanted : mounts.ids) {
    const MountSelection one{.all = false, .ids = {wanted}};
    if (std::ranges::any_of(uses, [&](const CacheMountUse& use) { return one.has(use.id); })) continue;
    const auto near = closest_match(wanted, ids);
    warn_(concat("mounts=", wanted, ": no step has such a cache mount",
                 near ? concat("; did you mean ", *near, "?") : ""));
  }
}

MountUpload MountExports::collect(const Wanted& wanted, const std::stop_token& stop) {
  MountUpload upload;
  if (wanted.mounts.empty()) return upload;
  std::set<CacheMountUse> uses;
  for (const Vertex& vertex : graph_.vertices()) uses.merge(as_set(cache_mounts_of(vertex)));
  warn_of_unknown(wanted.mounts, uses);
  std::erase_if(uses, [&](const CacheMountUse& use) { return !wanted.mounts.has(use.id); });
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
