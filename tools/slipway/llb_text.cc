#include "slipway/llb_text.h"

#include <nlohmann/json.hpp>

#include "history/step_parts.h"
#include "slipway/source_secrets.h"

namespace slipway {

namespace {

using Json = nlohmann::ordered_json;

Json operation_json(const Vertex& vertex, const Hider& hider) {
  Json json{
      {"digest", vertex.digest.str()}, {"name", hider.apply(vertex.info.name)}, {"kind", kind_of(vertex.op)}};
  json["inputs"] = Json::array();
  for (const Input& input : vertex.op.inputs) {
    Json entry{{"digest", input.vertex.str()}};
    if (input.index != 0) entry["index"] = input.index;
    json["inputs"].push_back(std::move(entry));
  }
  if (vertex.op.platform) json["platform"] = vertex.op.platform->str();
  Json fields = Json::array();
  for (const KeyPart& part : step_parts(vertex.op, {}, hider))
    if (part.name != "platform") fields.push_back({{"name", part.name}, {"value", part.value}});
  json["fields"] = std::move(fields);
  if (vertex.info.ignore_cache) json["ignoreCache"] = true;
  if (const auto& at = vertex.info.location)
    json["location"] = {{"file", at->file}, {"line", at->line}, {"column", at->column}};
  return json;
}

/// What the operations and the sources call secret.
Hider hider_of(const PrintedDefinition& printed) {
  Hider hider;
  for (const Digest& digest : printed.graph->reachable_from({printed.result.vertex}))
    if (const auto* exec = std::get_if<ExecOp>(&printed.graph->at(digest).op.what))
      for (const std::string& variable : exec->env)
        if (const std::size_t equals = variable.find('='); equals != std::string::npos)
          hider.add_variable(variable.substr(0, equals), variable.substr(equals + 1));
  for (const SourceText& source : *printed.sources) without_secret_values(source, hider);
  return hider;
}

}  // namespace

std::string definitions_json(const std::vector<PrintedDefinition>& printed) {
  Json list = Json::array();
  for (const PrintedDefinition& one : printed) {
    Hider hider = hider_of(one);
    Json operations = Json::array();
    for (const Digest& digest : one.graph->reachable_from({one.result.vertex}))
      operations.push_back(operation_json(one.graph->at(digest), hider));
    Json sources = Json::array();
    for (const SourceText& source : *one.sources)
      sources.push_back({{"name", source.name},
                         {"language", source.language},
                         {"text", hider.apply(without_secret_values(source, hider))}});
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
