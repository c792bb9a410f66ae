#pragma once
// The values of --cache-from and --cache-to as data.
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "build/attributes.h"
#include "build/mount_selection.h"
#include "cache/cache_manifest.h"
#include "cache/gha_cache.h"
#include "cache/s3_cache.h"
#include "manifest/image_ref.h"

namespace slipway {

/// Where a cache is taken from.
struct CacheSource {
  enum class Type { Registry, Local, S3, Gha };
  Type type = Type::Registry;
  std::optional<ImageRef> ref;      ///< Registry: a cache, or an image with one in its config
  std::filesystem::path directory;  ///< Local
  std::string tag = "latest";       ///< Local
  std::optional<Digest> digest;     ///< Local
  S3Cache::Options s3;              ///< S3
  GhaCache::Options gha;            ///< Gha
  MountSelection mounts;            ///< whose content is taken, too
  bool required = false;            ///< what keeps it from being used fails the build
};

/// Where finished steps are saved to.
struct CacheTarget {
  enum class Type { Registry, Local, Inline, S3, Gha };
  Type type = Type::Registry;
  std::optional<ImageRef> ref;
  std::filesystem::path directory;
  std::string tag = "latest";
  S3Cache::Options s3;
  GhaCache::Options gha;
  bool all_steps = false;  ///< mode=max; else those that the image's own layers come from
  std::optional<Attributes::ChosenCompression> compression;  ///< nothing: as the outputs'
  CacheForm form;
  MountSelection mounts;  ///< whose content is saved, too
  std::uint64_t most_mount_bytes = kDefaultMostMountBytes;
  bool ignore_error = false;
  bool reset = false;  ///< Local: what was in the cache before goes
};

/// "type=registry,ref=REF", "REF", "type=local,src=DIR". What is not said of S3 and of
/// GitHub Actions is taken from the environment, as their own tools do. Throws UsageError that names the bad
/// part.
CacheSource parse_cache_source(std::string_view text);
CacheTarget parse_cache_target(std::string_view text);

}  // namespace slipway
