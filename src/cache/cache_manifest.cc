#include "cache/cache_manifest.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/strings.h"
#include "cache/cache_content.h"
#include "manifest/json_reader.h"
#include "manifest/media_types.h"

namespace slipway {

namespace {

constexpr std::string_view kConfigFamily = "application/vnd.buildkit.cacheconfig.";
constexpr const char* kDiffId = "containerd.io/uncompressed";
constexpr const char* kCreated = "buildkit/createdat";
constexpr const char* kCacheMount = "slipway.cache-mount";  ///< whose content it is, and no step's layer
constexpr std::uint64_t kMostConfig = JsonDocument::kMaxBytes;

/// A cache's parts, whichever of the two forms it has.
struct Parts {
  std::optional<Descriptor> config;
  std::vector<Descriptor> layers;
};

bool is_cache_config(const Descriptor& entry) { return entry.media_type.starts_with(kConfigFamily); }

std::optional<Parts> parts_of(const std::string& document, const std::string& type) {
  Parts parts;
  if (media_type::is_index(type)) {
    for (const Descriptor& entry : parse_index(document).value.manifests) {
      if (is_cache_config(entry)) {
        parts.config = entry;
      } else {
        parts.layers.push_back(entry);
      }
    }
  } else {
    const Manifest manifest = parse_manifest(document).value;
    if (manifest.config && is_cache_config(*manifest.config)) parts.config = manifest.config;
    parts.layers = manifest.layers;
  }
  if (!parts.config) return std::nullopt;
  return parts;
}

std::string docker_type(std::string_view type) {
  if (type == media_type::kOciLayerGzip) return std::string(media_type::kDockerLayerGzip);
  if (type == media_type::kOciLayerTar) return std::string(media_type::kDockerLayerTar);
  return std::string(type);
}

/// What the config does not say of its layers, the manifest's entries do.
void complete_layers(CacheConfig& config, const std::vector<Descriptor>& entries) {
  std::map<Digest, const Descriptor*> by_blob;
  for (const Descriptor& entry : entries) by_blob.emplace(entry.digest, &entry);
  for (CacheConfigLayer& layer : config.layers) {
    const auto found = by_blob.find(layer.blob);
    if (found == by_blob.end()) continue;
    const Descriptor& entry = *found->second;
    layer.media_type = media_type::to_oci(entry.media_type);
    layer.size = entry.size;
    if (const auto id = entry.annotations.find(kDiffId);
        id != entry.annotations.end() && Digest::is_valid(id->second))
      layer.diff_id = Digest::parse(id->second);
    const auto created = entry.annotations.find(kCreated);
    if (layer.created.empty() && created != entry.annotations.end()) layer.created = created->second;
  }
}

/// What one image carries in its config.
CacheConfig read_inline(const std::string& document, const CacheDocuments& documents) {
  CacheConfig config;
  const Manifest manifest = parse_manifest(document).value;
  if (!manifest.config || manifest.config->size > kMostConfig) return config;
  const std::string raw = documents.blob(*manifest.config);
  const std::string records = inline_cache_of(raw);
  if (records.empty()) return config;
  const ImageConfig image = parse_image_config(raw).value;
  if (image.diff_ids.size() != manifest.layers.size())
    throw InvalidInput("an image without some of its layers");
  std::vector<std::string> times;
  for (const History& entry : image.history)
    if (!entry.empty_layer) times.push_back(entry.created);
  for (std::size_t i = 0; i < manifest.layers.size(); ++i)
    config.layers.push_back({.blob = manifest.layers[i].digest,
                             .parent = static_cast<int>(i) - 1,
                             .media_type = std::string(media_type::to_oci(manifest.layers[i].media_type)),
                             .diff_id = image.diff_ids[i],
                             .size = manifest.layers[i].size,
                             .created = i < times.size() ? times[i] : ""});
  config.records = parse_inline_records(records, manifest.layers.size());
  return config;
}

CacheConfig read_images(const std::string& document, const std::string& type, const CacheDocuments& documents,
                        const std::vector<Platform>& platforms) {
  if (!media_type::is_index(type)) return read_inline(document, documents);
  const Index index = parse_index(document).value;
  CacheConfig config;
  std::vector<Digest> done;
  for (const Platform& platform : platforms) {
    const auto entry = select_platform(index, platform);
    if (!entry || std::ranges::find(done, entry->digest) != done.end()) continue;
    done.push_back(entry->digest);
    append_cache(config, read_inline(documents.manifest(*entry), documents));
  }
  return config;
}

FoundCache read_parts(const Parts& parts, const CacheDocuments& documents) {
  if (parts.config->media_type != kCacheConfigType)
    return {.kind = FoundCache::Kind::Other,
            .config = {},
            .problem = concat("was made by a newer version (", parts.config->media_type, ")"),
            .version = {}};
  if (parts.config->size > kMostConfig)
    return {
        .kind = FoundCache::Kind::Damaged, .config = {}, .problem = "has too large a config", .version = {}};
  const std::string raw = documents.blob(*parts.config);
  check_digest(raw, parts.config->digest, "its config");
  if (is_of_newer_form(raw))
    return {.kind = FoundCache::Kind::Other,
            .config = {},
            .problem = "was made by a newer slipway",
            .version = {}};
  FoundCache found{
      .kind = FoundCache::Kind::Cache, .config = parse_cache_config(raw), .problem = {}, .version = {}};
  complete_layers(found.config, parts.layers);
  return found;
}

FoundCache read_document(const std::string& document, const CacheDocuments& documents,
                         const std::vector<Platform>& platforms) {
  const std::string type = document_media_type(document);
  if (!media_type::is_index(type) && !media_type::is_manifest(type))
    return {.kind = FoundCache::Kind::Other, .config = {}, .problem = "is not a cache", .version = {}};
  if (const auto parts = parts_of(document, type)) return read_parts(*parts, documents);
  FoundCache found{.kind = FoundCache::Kind::Image,
                   .config = read_images(document, type, documents, platforms),
                   .problem = {},
                   .version = {}};
  return found;
}

}  // namespace

CacheArtefact write_cache_artefact(const CacheConfig& config, const CacheForm& form) {
  std::vector<Descriptor> entries;
  CacheConfig bare = config;
  std::map<Digest, std::size_t> listed;
  for (CacheConfigLayer& layer : bare.layers) {
    const auto [place, is_new] = listed.emplace(layer.blob, entries.size());
    if (is_new) {
      Descriptor entry{.media_type = form.oci_types ? layer.media_type : docker_type(layer.media_type),
                       .digest = layer.blob,
                       .size = layer.size};
      if (layer.diff_id) entry.annotations[kDiffId] = layer.diff_id->str();
      if (!layer.created.empty()) entry.annotations[kCreated] = layer.created;
      entries.push_back(std::move(entry));
    }
    // The entries say it; in the config it is for places that have no manifests. But two steps may make the
    // same blob, of which there is one entry, at different times.
    const auto& told = entries[place->second].annotations;
    const auto created = told.find(kCreated);
    const bool is_told = created != told.end() && created->second == layer.created;
    layer = {.blob = layer.blob, .parent = layer.parent, .created = is_told ? "" : layer.created};
  }
  for (const CacheConfigMount& mount : bare.mounts)
    if (listed.emplace(mount.blob, entries.size()).second)
      entries.push_back({.media_type = mount.media_type,
                         .digest = mount.blob,
                         .size = mount.size,
                         .platform = {},
                         .annotations = {{kCacheMount, mount.key.str()}}});
  CacheArtefact artefact{.media_type = {}, .bytes = {}, .config = to_json(bare)};
  const Descriptor described{.media_type = std::string(kCacheConfigType),
                             .digest = Digest::of(artefact.config),
                             .size = artefact.config.size()};
  if (form.image_manifest) {
    artefact.media_type = media_type::kOciManifest;
    artefact.bytes = to_json(
        Manifest{.media_type = artefact.media_type, .config = described, .layers = std::move(entries)});
  } else {
    artefact.media_type = form.oci_types ? media_type::kOciIndex : media_type::kDockerManifestList;
    entries.push_back(described);
    artefact.bytes = to_json(Index{.media_type = artefact.media_type, .manifests = std::move(entries)});
  }
  if (artefact.bytes.size() > kMostConfig || artefact.config.size() > kMostConfig)
    throw InvalidInput(concat("the cache's list of ", config.layers.size(), " layers is larger than the ",
                              human_bytes(kMostConfig), " that registries take"));
  return artefact;
}

FoundCache read_cache_artefact(const std::string& manifest, const CacheDocuments& documents,
                               const std::vector<Platform>& platforms) {
  FoundCache found;
  try {
    found = read_document(manifest, documents, platforms);
  } catch (const InvalidInput& e) {
    found = {.kind = FoundCache::Kind::Damaged,
             .config = {},
             .problem = concat("is damaged: ", e.what()),
             .version = {}};
  } catch (const IntegrityError& e) {
    found = {.kind = FoundCache::Kind::Damaged,
             .config = {},
             .problem = concat("is damaged: ", e.what()),
             .version = {}};
  } catch (const NotFound& e) {
    found = {.kind = FoundCache::Kind::Damaged,
             .config = {},
             .problem = concat("lacks a part: ", e.what()),
             .version = {}};
  }
  found.version = Digest::of(manifest).str();
  return found;
}

std::vector<Descriptor> blobs_of_cache_artefact(const std::string& manifest) {
  try {
    auto parts = parts_of(manifest, document_media_type(manifest));
    if (!parts) return {};
    parts->layers.push_back(*parts->config);
    return std::move(parts->layers);
  } catch (const InvalidInput&) {
    return {};
  }
}

}  // namespace slipway
