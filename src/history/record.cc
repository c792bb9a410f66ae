#include "history/record.h"

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/strings.h"

namespace slipway {

namespace {

using Json = nlohmann::ordered_json;
constexpr int kSchemaVersion = 1;

/// Distinct parts, and where each is.
class PartTable {
 public:
  std::size_t index_of(const KeyPart& part) {
    const auto [at, is_new] = known_.try_emplace(part, known_.size());
    if (is_new) {
      Json entry = Json::array({part.name, part.value});
      if (part.hidden) entry.push_back(true);
      json_.push_back(std::move(entry));
    }
    return at->second;
  }
  Json take() { return std::move(json_); }

 private:
  std::map<KeyPart, std::size_t> known_;
  Json json_ = Json::array();
};

void set_if(Json& json, const char* name, const std::string& value) {
  if (!value.empty()) json[name] = value;
}

Json step_json(const StepRecord& step, PartTable& parts) {
  Json json{{"id", step.id}, {"name", step.name}, {"kind", step.kind}, {"platforms", step.platforms}};
  set_if(json, "end", step.end);
  set_if(json, "hit", step.hit);
  if (step.seconds > 0) json["seconds"] = step.seconds;
  set_if(json, "mode", step.mode);
  set_if(json, "error", step.error);
  set_if(json, "log", step.log);
  json["key"] = step.key;
  if (step.no_cache) json["noCache"] = true;
  set_if(json, "passedOver", step.passed_over);
  Json indices = Json::array();
  for (const KeyPart& part : step.parts) indices.push_back(parts.index_of(part));
  json["parts"] = std::move(indices);
  if (!step.inputs.empty()) json["inputs"] = step.inputs;
  for (const ContextRead& read : step.reads) {
    Json entry{{"context", read.context}, {"source", read.source}, {"digest", read.digest}};
    set_if(entry, "manifest", read.manifest);
    json["reads"].push_back(std::move(entry));
  }
  return json;
}

std::string text_of(const Json& json, const char* name) { return json.value(name, std::string()); }

std::vector<std::string> texts_of(const Json& json, const char* name) {
  return json.contains(name) ? json.at(name).get<std::vector<std::string>>() : std::vector<std::string>{};
}

StepRecord step_of(const Json& json, const std::vector<KeyPart>& parts, std::size_t index) {
  StepRecord step{.id = text_of(json, "id"),
                  .name = text_of(json, "name"),
                  .kind = text_of(json, "kind"),
                  .platforms = texts_of(json, "platforms"),
                  .end = text_of(json, "end"),
                  .hit = text_of(json, "hit"),
                  .seconds = json.value("seconds", 0.0),
                  .mode = text_of(json, "mode"),
                  .error = text_of(json, "error"),
                  .log = text_of(json, "log"),
                  .key = text_of(json, "key"),
                  .no_cache = json.value("noCache", false),
                  .passed_over = text_of(json, "passedOver"),
                  .parts = {},
                  .inputs = {},
                  .reads = {}};
  for (const Json& part : json.at("parts")) step.parts.push_back(parts.at(part.get<std::size_t>()));
  if (json.contains("inputs")) step.inputs = json.at("inputs").get<std::vector<std::size_t>>();
  for (const std::size_t input : step.inputs)
    if (input >= index) throw InvalidInput("a build record has a step that reads a later one");
  if (json.contains("reads"))
    for (const Json& read : json.at("reads"))
      step.reads.push_back({.context = text_of(read, "context"),
                            .source = text_of(read, "source"),
                            .digest = text_of(read, "digest"),
                            .manifest = text_of(read, "manifest")});
  return step;
}

BuildRecord record_of(const Json& json) {
  if (json.at("schemaVersion").get<int>() > kSchemaVersion) {
    InvalidInput newer("the build record was written by a newer slipway");
    newer.set_hint("that slipway can read it");
    throw newer;
  }
  BuildRecord record{.id = text_of(json, "id"),
                     .started_ms = json.value("startedMs", std::int64_t{0}),
                     .seconds = json.value("seconds", 0.0),
                     .platforms = texts_of(json, "platforms"),
                     .tags = texts_of(json, "tags"),
                     .context = text_of(json, "context"),
                     .dockerfile = text_of(json, "dockerfile"),
                     .target = text_of(json, "target"),
                     .outcome = text_of(json, "outcome"),
                     .error = text_of(json, "error"),
                     .image = text_of(json, "image"),
                     .logs = text_of(json, "logs"),
                     .steps = {}};
  std::vector<KeyPart> parts;
  for (const Json& part : json.at("parts"))
    parts.push_back({.name = part.at(0).get<std::string>(),
                     .value = part.at(1).get<std::string>(),
                     .hidden = part.size() > 2});
  for (const Json& step : json.at("steps")) record.steps.push_back(step_of(step, parts, record.steps.size()));
  return record;
}

}  // namespace

std::string to_json(const BuildRecord& record) {
  PartTable parts;
  Json steps = Json::array();
  for (const StepRecord& step : record.steps) steps.push_back(step_json(step, parts));
  Json json{{"schemaVersion", kSchemaVersion}, {"id", record.id}, {"startedMs", record.started_ms}};
  json["seconds"] = record.seconds;
  json["platforms"] = record.platforms;
  if (!record.tags.empty()) json["tags"] = record.tags;
  set_if(json, "context", record.context);
  set_if(json, "dockerfile", record.dockerfile);
  set_if(json, "target", record.target);
  json["outcome"] = record.outcome;
  set_if(json, "error", record.error);
  set_if(json, "image", record.image);
  set_if(json, "logs", record.logs);
  json["parts"] = parts.take();
  json["steps"] = std::move(steps);
  // Names of files and variables need not be UTF-8.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

BuildRecord parse_build_record(const std::string& text) {
  try {
    return record_of(Json::parse(text));
  } catch (const Json::exception&) {
    throw InvalidInput("no build record: it is damaged, or not whole");
  } catch (const std::out_of_range&) {
    throw InvalidInput("no build record: a step names a part that is not there");
  }
}

std::string manifest_line(const std::string& path, unsigned mode, const std::string& content) {
  std::array<char, 16> octal{};
  std::snprintf(octal.data(), octal.size(), "%06o", mode);
  std::string line = concat(octal.data(), " ", content.empty() ? "-" : content, " ");
  for (const char c : path) {
    if (c == '\\') {
      line += "\\\\";
    } else if (c == '\n') {
      line += "\\n";
    } else {
      line += c;
    }
  }
  return line + "\n";
}

FileList parse_file_list(const std::string& text) {
  FileList files;
  for (const std::string& line : split(text, '\n')) {
    const std::size_t content = line.find(' ');
    const std::size_t path = content == std::string::npos ? content : line.find(' ', content + 1);
    if (path == std::string::npos) continue;
    std::string name;
    for (std::size_t i = path + 1; i < line.size(); ++i) {
      if (line[i] != '\\' || i + 1 == line.size()) {
        name += line[i];
      } else {
        ++i;
        name += line[i] == 'n' ? '\n' : line[i];
      }
    }
    files.insert_or_assign(std::move(name), line.substr(0, path));
  }
  return files;
}

}  // namespace slipway
