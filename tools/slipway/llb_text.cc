#include "slipway/llb_text.h"

#include <nlohmann/json.hpp>

#include "history/step_parts.h"

namespace slipway {

namespace {

using Json = nlohmann::ordered_json;

Json operation_json(const Vertex& vertex) {
  Json json{{"digest", vertex.digest.str()}, {"name", vertex.info.name}, {"kind", kind_of(vertex.op)}};
  json["inputs"] = Json::array();
  for (const Input& input : vertex.op.inputs) {
    Json entry{{"digest", input.vertex.str()}};
    if (input.index != 0) entry["index"] = input.index;
    json["inputs"].push_back(std::move(entry));
  }
  if (vertex.op.platform) json["platform"] = vertex.op.platform->str();
  Json fields = Json::array();
  for (const KeyPart& part : step_parts(vertex.op, {}, Hider()))
    if (part.name != "platform") fields.push_back({{"name", part.name}, {"value", part.value}});
  json["fields"] = std::move(fields);
  if (vertex.info.ignore_cache) json["ignoreCache"] = true;
  if (const auto& at = vertex.info.location)
    json["location"] = {{"file", at->file}, {"line", at->line}, {"column", at->column}};
  return json;
}

}  // namespace

std::string definitions_json(const std::vector<PrintedDefinition>& printed) {
  Json list = Json::array();
  for (const PrintedDefinition& one : printed) {
    Json operations = Json::array();
    for (const Digest& digest : one.graph->reachable_from({one.result.vertex}))
      operations.push_back(operation_json(one.graph->at(digest)));
    Json sources = Json::array();
    for (const SourceText& source : *one.sources)
      sources.push_back({{"name", source.name}, {"language", source.language}, {"text", source.text}});
    Json entry;
    if (!one.platform.empty()) entry["platform"] = one.platform;
    entry["result"] = one.result.vertex.str();
    entry["operations"] = std::move(operations);
    entry["sources"] = std::move(sources);
    list.push_back(std::move(entry));
  }
  return Json{{"definitions", std::move(list)}}.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace slipway
