#pragma once
// What a build's result becomes: buildx's --output values as data.
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "content/layers.h"
#include "manifest/image_ref.h"

namespace slipway {

struct OutputSpec {
  enum class Type {
    Image,
    Oci,
    Local,
    CacheOnly,  ///< nothing beyond the steps' results in the store
  };
  Type type = Type::Image;
  bool push = false;            ///< Image
  std::vector<ImageRef> names;  ///< of name=; --tag's are added by the caller
  std::filesystem::path dest;   ///< Oci, Local; "-" is stdout (Oci tar only)
  bool tar = true;              ///< Oci: one tar file, or a directory
  bool rewrite_timestamp = false;
  Compression compression = Compression::Gzip;
  int compression_level = -1;
};

/// "type=oci,dest=out.tar", "type=registry", "DIRECTORY" (local). Throws UsageError that names the bad part.
OutputSpec parse_output(std::string_view text);

}  // namespace slipway
