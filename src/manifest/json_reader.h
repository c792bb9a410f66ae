#pragma once
// Reads JSON that comes from outside, with the path of whatever is wrong in the message. Not for writing, and not for
// passing JSON around: callers fill typed structs and drop the document.
#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slipway {

class JsonDocument;

/// A borrowed value inside a JsonDocument, which must outlive it. Each accessor throws InvalidInput if the value has
/// another type. null counts as absent: Go programs write it for empty slices and maps.
class JsonNode {
 public:
  /// The member, or nothing if it is absent or null. Throws if this is not an object.
  std::optional<JsonNode> find(std::string_view key) const;
  /// The member; throws if there is none.
  JsonNode at(std::string_view key) const;
  /// Elements of an array.
  std::vector<JsonNode> elements() const;
  /// Members of an object, sorted by name.
  std::vector<std::pair<std::string, JsonNode>> members() const;

  std::string string() const;
  std::int64_t integer() const;
  std::uint64_t unsigned_integer() const;
  bool boolean() const;
  bool is_string() const;
  bool is_array() const;
  std::vector<std::string> strings() const;
  std::map<std::string, std::string> string_map() const;

  /// For what is optional: the default if absent or null.
  std::string string_or(std::string_view key, std::string_view fallback = {}) const;
  std::int64_t integer_or(std::string_view key, std::int64_t fallback) const;
  bool boolean_or(std::string_view key, bool fallback) const;
  std::vector<std::string> strings_or_empty(std::string_view key) const;
  std::map<std::string, std::string> string_map_or_empty(std::string_view key) const;

  const std::string& path() const { return path_; }  ///< "image manifest: $.layers[2].size"
  [[noreturn]] void refuse(std::string_view why) const;

 private:
  friend class JsonDocument;
  JsonNode(const nlohmann::json& value, std::string path) : value_(&value), path_(std::move(path)) {}
  const nlohmann::json* value_;
  std::string path_;
};

/// A parsed document. What is wrong is said without quoting the document: it may hold secrets.
class JsonDocument {
 public:
  static constexpr std::size_t kMaxBytes = std::size_t{4} << 20;  ///< distribution-spec's limit for manifests
  static constexpr std::size_t kMaxDepth = 64;

  /// Throws InvalidInput: not JSON, invalid UTF-8, over kMaxBytes, nested deeper than kMaxDepth. `what` names the
  /// document in messages ("image manifest").
  JsonDocument(std::string_view text, std::string what);
  ~JsonDocument();
  JsonDocument(const JsonDocument&) = delete;
  JsonDocument& operator=(const JsonDocument&) = delete;
  JsonNode root() const;

 private:
  std::string what_;
  std::unique_ptr<nlohmann::json> value_;
};

}  // namespace slipway
