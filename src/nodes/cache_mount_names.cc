#include "nodes/cache_mount_names.h"

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"

namespace slipway {

CacheMountUse cache_mount_use(const Vertex& vertex, const Mount& mount) {
  if (!mount.cache) throw InvalidInput(concat("the cache mount at ", mount.dest, " has no id"));
  CacheMountUse use{.name = mount.cache->id,
                    .id = mount.cache->id,
                    .platform = vertex.op.platform ? vertex.op.platform->str() : ""};
  // One that starts as something is another cache than one that starts as something else.
  if (mount.input >= 0) {
    const Digest& input = vertex.op.inputs.at(static_cast<std::size_t>(mount.input)).vertex;
    use.name += concat("\n", input.str(), "\n", mount.selector);
  }
  return use;
}

std::vector<CacheMountUse> cache_mounts_of(const Vertex& vertex) {
  std::vector<CacheMountUse> uses;
  if (const ExecOp* exec = std::get_if<ExecOp>(&vertex.op.what))
    for (const Mount& mount : exec->mounts)
      if (mount.type == MountType::Cache && mount.cache) uses.push_back(cache_mount_use(vertex, mount));
  std::ranges::sort(uses);
  uses.erase(std::unique(uses.begin(), uses.end()), uses.end());
  return uses;
}

}  // namespace slipway
