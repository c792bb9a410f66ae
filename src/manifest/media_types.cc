#include "manifest/media_types.h"

#include <array>
#include <utility>

namespace slipway::media_type {

bool is_index(std::string_view type) { return type == kOciIndex || type == kDockerManifestList; }

bool is_manifest(std::string_view type) { return type == kOciManifest || type == kDockerManifest; }

std::string_view to_oci(std::string_view type) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kSame = {{
      {kDockerManifestList, kOciIndex},
      {kDockerManifest, kOciManifest},
      {kDockerConfig, kOciConfig},
      {kDockerLayerGzip, kOciLayerGzip},
      {kDockerLayerTar, kOciLayerTar},
  }};
  for (const auto& [docker, oci] : kSame)
    if (type == docker) return oci;
  return type;
}

}  // namespace slipway::media_type
