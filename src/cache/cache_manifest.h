#pragma once
// A layer cache as an OCI artefact: a manifest (or, as older readers want it, an index) that lists the layers
// and the cache config. Images with a cache in their config are read here, too.
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "cache/cache_config.h"
#include "manifest/oci.h"
#include "platforms/platform.h"

namespace slipway {

struct CacheForm {
  bool image_manifest = true;  ///< else an index whose entries are the layers
  bool oci_types = true;       ///< else Docker's media types, in an index only
};

struct CacheArtefact {
  std::string media_type, bytes;  ///< of the manifest
  std::string config;             ///< goes into a blob of its own
};

/// Throws InvalidInput if it is larger than registries take.
CacheArtefact write_cache_artefact(const CacheConfig& config, const CacheForm& form);

/// What is found where a cache should be.
struct FoundCache {
  enum class Kind {
    Nothing,
    Cache,    ///< `config` has it
    Image,    ///< `config` has what its images carry, maybe nothing
    Other,    ///< something that is not for slipway to replace
    Damaged,  ///< a cache once, or parts of it are gone
  };
  Kind kind = Kind::Nothing;
  CacheConfig config;
  std::string problem;  ///< of Other and Damaged, as the end of a sentence that begins with its name
  std::string version;  ///< of what is there: equal versions are equal content; empty for Nothing
};

/// How to get the documents that a cache is made of. Both throw as registries do.
struct CacheDocuments {
  std::function<std::string(const Descriptor& manifest)> manifest;
  std::function<std::string(const Descriptor& blob)> blob;
};

/// Reads what a name points to. Of an image for several platforms those in `platforms` are read. What the
/// network or a refusal keeps from being read is thrown (TransportError, Denied, Cancelled); all else is
/// told.
FoundCache read_cache_artefact(const std::string& manifest, const CacheDocuments& documents,
                               const std::vector<Platform>& platforms);

/// The blobs that a cache artefact refers to, its config among them; empty if it is none.
std::vector<Descriptor> blobs_of_cache_artefact(const std::string& manifest);

}  // namespace slipway
