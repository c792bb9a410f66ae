// Descriptors, manifests and indexes. Reading accepts OCI and Docker schema 2 alike.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/strings.h"
#include "manifest/json_platform.h"
#include "manifest/media_types.h"
#include "manifest/oci.h"

namespace slipway {
namespace {

using nlohmann::ordered_json;

Digest read_digest(const JsonNode& node) {
  const std::string text = node.string();
  if (!Digest::is_valid(text))
    node.refuse(concat("\"", text.substr(0, 100), "\" is not a digest (sha256: and 64 hex digits)"));
  return Digest::parse(text);
}

Descriptor read_descriptor(const JsonNode& node) {
  Descriptor out{.media_type = node.at("mediaType").string(),
                 .digest = read_digest(node.at("digest")),
                 .size = node.at("size").unsigned_integer(),
                 .platform = std::nullopt,
                 .annotations = node.string_map_or_empty("annotations"),
                 .artifact_type = node.string_or("artifactType")};
  if (const auto platform = node.find("platform")) out.platform = read_platform(*platform);
  return out;
}

std::vector<Descriptor> read_descriptors(const JsonNode& document, std::string_view key) {
  std::vector<Descriptor> out;
  if (const auto list = document.find(key))
    for (const JsonNode& node : list->elements()) out.push_back(read_descriptor(node));
  return out;
}

// What a document is. One that could be read both as an index and as a manifest means different things to different
// readers, so it is refused (CVE-2021-41190).
std::string read_media_type(const JsonNode& document) {
  const bool index = document.find("manifests").has_value();
  const bool manifest = document.find("config").has_value() || document.find("layers").has_value();
  if (index && manifest)
    document.refuse("has \"manifests\" as well as \"config\" or \"layers\": neither an index nor a manifest");
  const std::int64_t version = document.integer_or("schemaVersion", 2);
  if (version == 1) document.refuse("Docker's schema 1 is not supported; push the image again with a current tool");
  if (version != 2) document.refuse(concat("schemaVersion ", version, " is not known"));
  const std::string type = document.string_or("mediaType");
  if (type.empty()) {
    if (index) return std::string(media_type::kOciIndex);
    if (manifest) return std::string(media_type::kOciManifest);
    document.refuse("has neither a mediaType nor \"manifests\", \"config\" or \"layers\"");
  }
  if ((media_type::is_index(type) && manifest) || (media_type::is_manifest(type) && index))
    document.refuse(concat("its mediaType ", type, " does not agree with its content"));
  return type;
}

ordered_json write_descriptor(const Descriptor& descriptor) {
  ordered_json out;
  out["mediaType"] = descriptor.media_type;
  out["digest"] = descriptor.digest.str();
  out["size"] = descriptor.size;
  if (!descriptor.annotations.empty()) out["annotations"] = descriptor.annotations;
  if (descriptor.platform) {
    ordered_json platform = ordered_json::object();
    write_platform(platform, *descriptor.platform);
    out["platform"] = std::move(platform);
  }
  if (!descriptor.artifact_type.empty()) out["artifactType"] = descriptor.artifact_type;
  return out;
}

ordered_json write_descriptors(const std::vector<Descriptor>& descriptors) {
  ordered_json out = ordered_json::array();
  for (const Descriptor& descriptor : descriptors) out.push_back(write_descriptor(descriptor));
  return out;
}

std::string_view or_default(const std::string& type, std::string_view fallback) {
  return type.empty() ? fallback : std::string_view(type);
}

template <class T>
Parsed<T> with_bytes(T value, std::string raw) {
  Digest digest = Digest::of(raw);
  return Parsed<T>{std::move(value), std::move(raw), std::move(digest)};
}

}  // namespace

std::string dump(const ordered_json& document) {
  return document.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::optional<Platform> read_platform(const JsonNode& object) {
  const std::string os = object.string_or("os");
  const std::string architecture = object.string_or("architecture");
  if (os.empty() && architecture.empty()) return std::nullopt;
  return Platform::from_fields(os, architecture, object.string_or("variant"), object.string_or("os.version"));
}

void write_platform(ordered_json& object, const Platform& platform) {
  object["architecture"] = platform.architecture();
  object["os"] = platform.os();
  if (!platform.os_version().empty()) object["os.version"] = platform.os_version();
  if (!platform.variant().empty()) object["variant"] = platform.variant();
}

std::string document_media_type(std::string_view raw) {
  const JsonDocument document(raw, "manifest");
  return read_media_type(document.root());
}

Parsed<Manifest> parse_manifest(std::string raw) {
  Manifest manifest;
  {
    const JsonDocument document(raw, "image manifest");
    const JsonNode root = document.root();
    manifest.media_type = read_media_type(root);
    if (!media_type::is_manifest(manifest.media_type))
      root.refuse(concat("is a ", manifest.media_type, ", not an image manifest"));
    if (const auto config = root.find("config")) manifest.config = read_descriptor(*config);
    manifest.layers = read_descriptors(root, "layers");
    manifest.annotations = root.string_map_or_empty("annotations");
    manifest.artifact_type = root.string_or("artifactType");
    if (const auto subject = root.find("subject")) manifest.subject = read_descriptor(*subject);
  }
  return with_bytes(std::move(manifest), std::move(raw));
}

Parsed<Index> parse_index(std::string raw) {
  Index index;
  {
    const JsonDocument document(raw, "image index");
    const JsonNode root = document.root();
    index.media_type = read_media_type(root);
    if (!media_type::is_index(index.media_type))
      root.refuse(concat("is a ", index.media_type, ", not an image index"));
    index.manifests = read_descriptors(root, "manifests");
    index.annotations = root.string_map_or_empty("annotations");
  }
  return with_bytes(std::move(index), std::move(raw));
}

Descriptor parse_descriptor(std::string_view raw) {
  const JsonDocument document(raw, "descriptor");
  return read_descriptor(document.root());
}

void check_digest(std::string_view bytes, const Digest& expected, std::string_view what) {
  const Digest found = Digest::of(bytes);
  if (found != expected)
    throw IntegrityError(concat(what, ": the bytes have digest ", found.str(), ", not ", expected.str()));
}

std::string to_json(const Descriptor& descriptor) { return dump(write_descriptor(descriptor)); }

std::string to_json(const Manifest& manifest) {
  ordered_json out;
  out["schemaVersion"] = 2;
  out["mediaType"] = or_default(manifest.media_type, media_type::kOciManifest);
  if (!manifest.artifact_type.empty()) out["artifactType"] = manifest.artifact_type;
  if (manifest.config) out["config"] = write_descriptor(*manifest.config);
  out["layers"] = write_descriptors(manifest.layers);
  if (manifest.subject) out["subject"] = write_descriptor(*manifest.subject);
  if (!manifest.annotations.empty()) out["annotations"] = manifest.annotations;
  return dump(out);
}

std::string to_json(const Index& index) {
  ordered_json out;
  out["schemaVersion"] = 2;
  out["mediaType"] = or_default(index.media_type, media_type::kOciIndex);
  out["manifests"] = write_descriptors(index.manifests);
  if (!index.annotations.empty()) out["annotations"] = index.annotations;
  return dump(out);
}

}  // namespace slipway
