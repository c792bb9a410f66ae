#include "cache/cache_config.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/strings.h"
#include "manifest/json_reader.h"

namespace slipway {

namespace {

using nlohmann::ordered_json;

constexpr const char* kExtension = "slipway";
constexpr std::int64_t kForm = 1;  ///< of what slipway adds; a reader refuses a greater one

Digest read_digest(const JsonNode& node) {
  const std::string text = node.string();
  if (!Digest::is_valid(text)) node.refuse("is no digest (sha256: and 64 hex digits)");
  return Digest::parse(text);
}

int read_index(const JsonNode& node, std::size_t size, int least) {
  const std::int64_t index = node.integer();
  if (index < least || index >= static_cast<std::int64_t>(size))
    node.refuse(concat(index, " is out of range"));
  return static_cast<int>(index);
}

CacheConfigLayer read_layer(const JsonNode& node, std::size_t layers) {
  CacheConfigLayer layer{.blob = read_digest(node.at("blob"))};
  // Go leaves out zero, so nothing said is the first layer.
  const auto parent = node.find("parent");
  layer.parent = parent ? read_index(*parent, layers, -1) : 0;
  if (const auto annotations = node.find("annotations")) {
    layer.media_type = annotations->string_or("mediaType");
    if (const auto diff_id = annotations->find("diffID"); diff_id && !diff_id->string().empty())
      layer.diff_id = read_digest(*diff_id);
    if (const auto size = annotations->find("size")) layer.size = size->unsigned_integer();
    layer.created = annotations->string_or("createdAt");
  }
  return layer;
}

// Each layer's way down must end; one that leads in a circle would never.
void check_parents(const std::vector<CacheConfigLayer>& layers, const JsonNode& node) {
  enum class Mark : char { New, OnWay, Ends };
  std::vector<Mark> marks(layers.size(), Mark::New);
  std::vector<std::size_t> way;
  for (std::size_t start = 0; start < layers.size(); ++start) {
    way.clear();
    std::size_t at = start;
    while (marks[at] == Mark::New) {
      marks[at] = Mark::OnWay;
      way.push_back(at);
      if (layers[at].parent < 0) break;
      at = static_cast<std::size_t>(layers[at].parent);
      if (marks[at] == Mark::OnWay) node.refuse(concat("layer ", at, " stands on itself"));
    }
    for (const std::size_t passed : way) marks[passed] = Mark::Ends;
  }
}

CacheNotes read_notes(const JsonNode& node) {
  CacheNotes notes{.description = node.string_or("description"),
                   .platform = node.string_or("platform"),
                   .milliseconds = node.integer_or("milliseconds", 0),
                   .used = node.integer_or("used", 0),
                   .emulation = node.string_or("emulation")};
  if (const auto tree = node.find("tree")) notes.tree = read_digest(*tree);
  return notes;
}

CacheConfigMount read_mount(const JsonNode& node) {
  return {.key = read_digest(node.at("key")),
          .platform = node.string_or("platform"),
          .id = node.string_or("id"),
          .blob = read_digest(node.at("blob")),
          .diff_id = read_digest(node.at("diffID")),
          .media_type = node.at("mediaType").string(),
          .size = node.at("size").unsigned_integer(),
          .saved = node.integer_or("saved", 0),
          .used = node.integer_or("used", 0)};
}

/// Links are not looked at when `records` is 0: an image's own records have none that matter.
CacheConfigRecord read_record(const JsonNode& node, std::size_t layers, std::size_t records) {
  CacheConfigRecord record{.digest = read_digest(node.at("digest"))};
  if (const auto inputs = node.find("inputs"))
    for (const JsonNode& alternatives : inputs->elements()) {
      std::vector<CacheConfigInput>& input = record.inputs.emplace_back();
      for (const JsonNode& one : alternatives.elements())
        input.push_back({.selector = one.string_or("selector"),
                         .link = one.find("link") ? read_index(*one.find("link"), records, 0) : 0});
    }
  if (const auto results = node.find("layers"))
    for (const JsonNode& result : results->elements())
      record.results.push_back(
          {.layer = read_index(result.at("layer"), layers, -1), .created = result.string_or("createdAt")});
  if (const auto chains = node.find("chains"))
    for (const JsonNode& chain : chains->elements()) {
      CacheConfigChain& read = record.chains.emplace_back();
      for (const JsonNode& layer : chain.at("layers").elements())
        read.layers.push_back(read_index(layer, layers, 0));
      read.created = chain.string_or("createdAt");
    }
  if (const auto notes = node.find(kExtension)) record.notes = read_notes(*notes);
  return record;
}

ordered_json write_layer(const CacheConfigLayer& layer) {
  ordered_json annotations = ordered_json::object();
  if (!layer.media_type.empty()) annotations["mediaType"] = layer.media_type;
  if (layer.diff_id) annotations["diffID"] = layer.diff_id->str();
  if (layer.size > 0) annotations["size"] = layer.size;
  if (!layer.created.empty()) annotations["createdAt"] = layer.created;
  ordered_json out;
  out["blob"] = layer.blob.str();
  out["parent"] = layer.parent;
  if (!annotations.empty()) out["annotations"] = std::move(annotations);
  return out;
}

enum class Notes { All, OfTree };

ordered_json write_notes(const CacheNotes& notes, Notes which) {
  ordered_json out = ordered_json::object();
  if (notes.tree) out["tree"] = notes.tree->str();
  if (which == Notes::OfTree) return out;
  if (!notes.description.empty()) out["description"] = notes.description;
  if (!notes.platform.empty()) out["platform"] = notes.platform;
  if (!notes.emulation.empty()) out["emulation"] = notes.emulation;
  if (notes.milliseconds > 0) out["milliseconds"] = notes.milliseconds;
  if (notes.used > 0) out["used"] = notes.used;
  return out;
}

ordered_json write_mount(const CacheConfigMount& mount) {
  ordered_json out = {{"key", mount.key.str()}};
  if (!mount.platform.empty()) out["platform"] = mount.platform;
  if (!mount.id.empty()) out["id"] = mount.id;
  out["blob"] = mount.blob.str();
  out["diffID"] = mount.diff_id.str();
  out["mediaType"] = mount.media_type;
  out["size"] = mount.size;
  out["saved"] = mount.saved;
  out["used"] = mount.used;
  return out;
}

ordered_json write_record(const CacheConfigRecord& record, Notes which) {
  ordered_json out = ordered_json::object();
  const auto dated = [](ordered_json entry, const std::string& created) {
    if (!created.empty()) entry["createdAt"] = created;
    return entry;
  };
  for (const CacheConfigResult& result : record.results)
    out["layers"].push_back(dated({{"layer", result.layer}}, result.created));
  for (const CacheConfigChain& chain : record.chains)
    out["chains"].push_back(dated({{"layers", chain.layers}}, chain.created));
  out["digest"] = record.digest.str();
  for (const std::vector<CacheConfigInput>& alternatives : record.inputs) {
    ordered_json input = ordered_json::array();
    for (const CacheConfigInput& one : alternatives) {
      ordered_json link = ordered_json::object();
      if (!one.selector.empty()) link["selector"] = one.selector;
      link["link"] = one.link;
      input.push_back(std::move(link));
    }
    out["inputs"].push_back(std::move(input));
  }
  if (!record.notes) return out;
  ordered_json notes = write_notes(*record.notes, which);
  if (which == Notes::All || !notes.empty()) out[kExtension] = std::move(notes);
  return out;
}

// Descriptions are commands of Dockerfiles and need not be UTF-8.
std::string dump(const ordered_json& value) {
  return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace

CacheConfig parse_cache_config(std::string_view text) {
  const JsonDocument document(text, "cache config");
  const JsonNode root = document.root();
  CacheConfig config;
  if (const auto layers = root.find("layers")) {
    const std::vector<JsonNode> nodes = layers->elements();
    for (const JsonNode& node : nodes) config.layers.push_back(read_layer(node, nodes.size()));
    check_parents(config.layers, *layers);
  }
  if (const auto records = root.find("records")) {
    const std::vector<JsonNode> nodes = records->elements();
    for (const JsonNode& node : nodes)
      config.records.push_back(read_record(node, config.layers.size(), nodes.size()));
  }
  if (const auto extension = root.find(kExtension))
    if (const auto mounts = extension->find("mounts"))
      std::ranges::transform(mounts->elements(), std::back_inserter(config.mounts), read_mount);
  return config;
}

bool is_of_newer_form(std::string_view text) {
  const JsonDocument document(text, "cache config");
  const auto extension = document.root().find(kExtension);
  return extension && extension->integer_or("form", kForm) > kForm;
}

std::string to_json(const CacheConfig& config) {
  ordered_json out = ordered_json::object();
  for (const CacheConfigLayer& layer : config.layers) out["layers"].push_back(write_layer(layer));
  for (const CacheConfigRecord& record : config.records)
    out["records"].push_back(write_record(record, Notes::All));
  out[kExtension] = {{"form", kForm}};
  for (const CacheConfigMount& mount : config.mounts) out[kExtension]["mounts"].push_back(write_mount(mount));
  return dump(out);
}

std::vector<CacheConfigRecord> parse_inline_records(std::string_view text, std::size_t layers) {
  const JsonDocument document(text, "inline cache");
  std::vector<CacheConfigRecord> records;
  const std::vector<JsonNode> nodes = document.root().elements();
  records.reserve(nodes.size());
  for (const JsonNode& node : nodes) records.push_back(read_record(node, layers, nodes.size()));
  return records;
}

std::string inline_json(const std::vector<CacheConfigRecord>& records) {
  ordered_json out = ordered_json::array();
  for (const CacheConfigRecord& record : records) out.push_back(write_record(record, Notes::OfTree));
  return dump(out);
}

}  // namespace slipway
