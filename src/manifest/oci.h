#pragma once
// OCI documents as typed structs (image-spec 1.1: descriptor.md, manifest.md, image-index.md, config.md). JSON is
// turned into these at once and never travels inward. Digests are of the bytes received, never of a re-serialisation.
// Serialising is deterministic: fields in the spec's order, maps sorted, no white space.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "platforms/platform.h"

namespace slipway {

using Annotations = std::map<std::string, std::string>;

struct Descriptor {
  std::string media_type;
  Digest digest;
  std::uint64_t size = 0;
  std::optional<Platform> platform;
  Annotations annotations;
  std::string artifact_type;
  bool operator==(const Descriptor&) const = default;
};

struct Manifest {
  std::string media_type;  ///< OCI or Docker manifest
  std::optional<Descriptor> config;
  std::vector<Descriptor> layers;
  Annotations annotations;
  std::string artifact_type;
  std::optional<Descriptor> subject;  ///< what it says something of
};

struct Index {
  std::string media_type;  ///< OCI index or Docker manifest list
  std::vector<Descriptor> manifests;
  Annotations annotations;
};

struct HealthCheck {
  std::vector<std::string> test;
  std::int64_t interval_ns = 0, timeout_ns = 0, start_period_ns = 0, start_interval_ns = 0;
  int retries = 0;
  bool operator==(const HealthCheck&) const = default;
};

/// The "config" object of an image config: what a runtime does with the image.
struct RuntimeConfig {
  std::string user;
  std::vector<std::string> exposed_ports;  ///< "80/tcp", kept sorted when written
  std::vector<std::string> env;            ///< KEY=VALUE in order
  std::optional<std::vector<std::string>> entrypoint;
  std::optional<std::vector<std::string>> cmd;
  std::vector<std::string> volumes;
  std::string working_dir;
  std::map<std::string, std::string> labels;
  std::string stop_signal;
  std::optional<HealthCheck> healthcheck;   ///< Docker extension
  std::vector<std::string> shell;           ///< Docker extension
  std::vector<std::string> on_build;        ///< Docker extension
  bool operator==(const RuntimeConfig&) const = default;
};

struct History {
  std::string created;  ///< RFC 3339 or empty
  std::string created_by;
  std::string comment;
  std::string author;
  bool empty_layer = false;
  bool operator==(const History&) const = default;
};

struct ImageConfig {
  Platform platform;
  std::string created;  ///< RFC 3339 or empty
  std::string author;
  RuntimeConfig config;
  std::vector<Digest> diff_ids;
  std::vector<History> history;
  /// BuildKit's extension: the records of an inline cache, as JSON. Only written: inline_cache_of() reads it,
  /// so that an image on top of another does not get the other's.
  std::string inline_cache;
};

/// A document with the bytes it came from.
template <class T>
struct Parsed {
  T value;
  std::string raw;
  Digest digest;
};

/// Each parser throws InvalidInput with the JSON path of what is wrong. Unknown fields are ignored (the spec says so),
/// wrong types are not. Documents over 4 MiB (the distribution-spec's limit) or nested over 64 deep are refused.
Parsed<Manifest> parse_manifest(std::string raw);
Parsed<Index> parse_index(std::string raw);
Parsed<ImageConfig> parse_image_config(std::string raw);
/// The records of the inline cache in an image config, as JSON; empty if it has none. Throws InvalidInput.
std::string inline_cache_of(std::string_view raw_config);
/// The media type of a manifest or an index: its own, or inferred from its fields where OCI lets it be absent. Throws
/// InvalidInput as the parsers do.
std::string document_media_type(std::string_view raw);
/// For documents that must have a given digest: throws IntegrityError if the bytes have another.
void check_digest(std::string_view bytes, const Digest& expected, std::string_view what);

std::string to_json(const Manifest& manifest);
std::string to_json(const Index& index);
std::string to_json(const ImageConfig& config);
std::string to_json(const Descriptor& descriptor);
Descriptor parse_descriptor(std::string_view raw);

/// "2024-05-01T12:00:00Z" for seconds since the epoch; with nanoseconds if not zero.
std::string rfc3339(std::int64_t seconds, std::uint32_t nanoseconds = 0);

/// The entry of `index` that serves `wanted` best (platforms/match_rank), attestation entries
/// (unknown/unknown) left aside; nothing if none does.
std::optional<Descriptor> select_platform(const Index& index, const Platform& wanted);

/// BuildKit's marks of an entry that says something of another one (attestation-storage.md).
inline constexpr const char* kReferenceType = "vnd.docker.reference.type";
inline constexpr const char* kReferenceDigest = "vnd.docker.reference.digest";
/// True for an entry that is no image but is said to be about one, or is of no platform.
bool is_attestation(const Descriptor& entry);

}  // namespace slipway
