#pragma once
// The document of a layer cache outside the store, as BuildKit writes it (media type
// application/vnd.buildkit.cacheconfig.v0): layers that stand on one another, and records that say which key
// has which of them as its result. Only the document's form: what slipway keeps in one is cache_content.h's.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"

namespace slipway {

inline constexpr std::string_view kCacheConfigType = "application/vnd.buildkit.cacheconfig.v0";

struct CacheConfigLayer {
  Digest blob;
  int parent = -1;  ///< index of the layer below; -1: none
  std::string media_type;
  std::optional<Digest> diff_id;
  std::uint64_t size = 0;
  std::string created;  ///< RFC 3339 or empty
};

struct CacheConfigResult {
  int layer = -1;  ///< the uppermost
  std::string created;
};

/// A result whose layers do not stand on one another. Others write such; slipway only hands them on.
struct CacheConfigChain {
  std::vector<int> layers;
  std::string created;
};

/// A step below, by its record.
struct CacheConfigInput {
  std::string selector;
  int link = 0;
};

/// What people and exporters are told of a record; an extension that other readers pass over.
struct CacheNotes {
  std::string description;  ///< "[linux/arm64 2/3] RUN make"
  std::string platform;
  std::int64_t milliseconds = 0;  ///< that the step took; 0: not known
  std::int64_t used = 0;          ///< when an export had it last, seconds since the epoch; 0: not known
  /// What names the result's tree in the content keys (content_key.h) of steps that change it.
  std::optional<Digest> tree = {};
  /// How emulated steps in the result were run (nodes/emulation_marks.h); empty: it does not say.
  std::string emulation = {};
};

struct CacheConfigRecord {
  Digest digest;
  std::vector<std::vector<CacheConfigInput>> inputs;  ///< empty: the digest alone is the key
  std::vector<CacheConfigResult> results;
  std::vector<CacheConfigChain> chains;
  std::optional<CacheNotes> notes;
};

/// The content of a cache mount (RUN --mount=type=cache); an extension that other readers pass over.
struct CacheConfigMount {
  Digest key;            ///< of the mount's name
  std::string platform;  ///< of the steps that used it
  std::string id;        ///< for people
  Digest blob;
  Digest diff_id;
  std::string media_type;
  std::uint64_t size = 0;
  std::int64_t saved = 0;  ///< seconds since the epoch
  std::int64_t used = 0;   ///< when an export had it last
};

struct CacheConfig {
  std::vector<CacheConfigLayer> layers;
  std::vector<CacheConfigRecord> records;
  std::vector<CacheConfigMount> mounts = {};
};

/// Indices in the result are within bounds, and every way down from a layer ends.
/// Throws InvalidInput with the path of what is wrong.
CacheConfig parse_cache_config(std::string_view text);
/// Whether a slipway wrote it that adds what this one does not know. Throws InvalidInput for what is no JSON.
bool is_of_newer_form(std::string_view text);
/// Deterministic.
std::string to_json(const CacheConfig& config);

/// The records alone, as they stand in an image's config: their layers are the image's, by index.
std::vector<CacheConfigRecord> parse_inline_records(std::string_view text, std::size_t layers);
/// Of the notes the tree's name alone: two builds of one thing give the same bytes.
std::string inline_json(const std::vector<CacheConfigRecord>& records);

}  // namespace slipway
