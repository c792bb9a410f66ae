#include "manifest/json_reader.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/strings.h"

namespace slipway {
namespace {

using nlohmann::json;

// Before the parser builds anything: a hostile document costs one pass over its bytes.
void check_depth(std::string_view text, std::string_view what) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > JsonDocument::kMaxDepth)
        throw InvalidInput(concat(what, ": nested deeper than ", JsonDocument::kMaxDepth, " levels"));
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
}

std::string_view type_of(const json& value) {
  switch (value.type()) {
    case json::value_t::null: return "null";
    case json::value_t::object: return "an object";
    case json::value_t::array: return "an array";
    case json::value_t::string: return "a string";
    case json::value_t::boolean: return "a boolean";
    default: return "a number";
  }
}

[[noreturn]] void wrong_type(const JsonNode& node, std::string_view expected, const json& found) {
  node.refuse(concat("expected ", expected, ", found ", type_of(found)));
}

}  // namespace

JsonDocument::JsonDocument(std::string_view text, std::string what) : what_(std::move(what)) {
  if (text.size() > kMaxBytes)
    throw InvalidInput(concat(what_, ": ", text.size(), " bytes; more than ", kMaxBytes, " are refused"));
  check_depth(text, what_);
  try {
    value_ = std::make_unique<json>(json::parse(text));
  } catch (const json::parse_error& e) {
    throw InvalidInput(concat(what_, ": not valid JSON (at byte ", e.byte, " of ", text.size(), ")"));
  } catch (const json::exception&) {
    throw InvalidInput(concat(what_, ": not valid JSON (a number is out of range)"));
  }
}

JsonDocument::~JsonDocument() = default;

JsonNode JsonDocument::root() const { return JsonNode(*value_, concat(what_, ": $")); }

void JsonNode::refuse(std::string_view why) const { throw InvalidInput(concat(path_, ": ", why)); }

std::optional<JsonNode> JsonNode::find(std::string_view key) const {
  if (!value_->is_object()) wrong_type(*this, "an object", *value_);
  const auto it = value_->find(key);
  if (it == value_->end() || it->is_null()) return std::nullopt;
  return JsonNode(*it, concat(path_, ".", key));
}

JsonNode JsonNode::at(std::string_view key) const {
  if (auto node = find(key)) return *std::move(node);
  throw InvalidInput(concat(path_, ".", key, ": missing"));
}

std::vector<JsonNode> JsonNode::elements() const {
  if (!value_->is_array()) wrong_type(*this, "an array", *value_);
  std::vector<JsonNode> out;
  out.reserve(value_->size());
  for (std::size_t i = 0; i < value_->size(); ++i)
    out.push_back(JsonNode((*value_)[i], concat(path_, "[", i, "]")));
  return out;
}

std::vector<std::pair<std::string, JsonNode>> JsonNode::members() const {
  if (!value_->is_object()) wrong_type(*this, "an object", *value_);
  std::vector<std::pair<std::string, JsonNode>> out;
  out.reserve(value_->size());
  for (const auto& [key, value] : value_->items()) out.emplace_back(key, JsonNode(value, concat(path_, ".", key)));
  return out;
}

std::string JsonNode::string() const {
  if (!value_->is_string()) wrong_type(*this, "a string", *value_);
  return value_->get<std::string>();
}

std::int64_t JsonNode::integer() const {
  if (!value_->is_number_integer()) wrong_type(*this, "an integer", *value_);
  if (value_->is_number_unsigned() &&
      value_->get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    refuse("the number is too large");
  return value_->get<std::int64_t>();
}

std::uint64_t JsonNode::unsigned_integer() const {
  const std::int64_t value = integer();
  if (value < 0) refuse("the number is negative");
  return static_cast<std::uint64_t>(value);
}

bool JsonNode::boolean() const {
  if (!value_->is_boolean()) wrong_type(*this, "a boolean", *value_);
  return value_->get<bool>();
}

bool JsonNode::is_string() const { return value_->is_string(); }
bool JsonNode::is_array() const { return value_->is_array(); }

std::vector<std::string> JsonNode::strings() const {
  std::vector<std::string> out;
  for (const JsonNode& element : elements()) out.push_back(element.string());
  return out;
}

std::map<std::string, std::string> JsonNode::string_map() const {
  std::map<std::string, std::string> out;
  for (const auto& [key, value] : members()) out.emplace(key, value.string());
  return out;
}

std::string JsonNode::string_or(std::string_view key, std::string_view fallback) const {
  const auto node = find(key);
  return node ? node->string() : std::string(fallback);
}

std::int64_t JsonNode::integer_or(std::string_view key, std::int64_t fallback) const {
  const auto node = find(key);
  return node ? node->integer() : fallback;
}

bool JsonNode::boolean_or(std::string_view key, bool fallback) const {
  const auto node = find(key);
  return node ? node->boolean() : fallback;
}

std::vector<std::string> JsonNode::strings_or_empty(std::string_view key) const {
  const auto node = find(key);
  return node ? node->strings() : std::vector<std::string>{};
}

std::map<std::string, std::string> JsonNode::string_map_or_empty(std::string_view key) const {
  const auto node = find(key);
  return node ? node->string_map() : std::map<std::string, std::string>{};
}

}  // namespace slipway
