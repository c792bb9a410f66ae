#include "build/provenance.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/strings.h"
#include "build/hidden_text.h"
#include "build/op_json.h"
#include "registry/url.h"

namespace slipway {

namespace {

using Json = nlohmann::ordered_json;

// Of BuildKit, whose documents these are: who reads its provenance reads this one.
constexpr const char* kBuildType1 =
    "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md";
constexpr const char* kBuildType02 = "https://mobyproject.org/buildkit@v1";

std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

/// {"sha256": "…"} of "sha256:…".
Json digest_set(const std::string& digest) {
  const std::size_t colon = digest.find(':');
  return {{digest.substr(0, colon), digest.substr(colon + 1)}};
}

Json material_json(const Material& material, const SecretMask& hidden) {
  Json json = Json::object();
  // A purl is made of names that anybody may know, and of a digest that nothing may be cut out of.
  if (!material.uri.empty())
    json["uri"] = material.uri.starts_with("pkg:") ? material.uri : hidden_text(hidden, material.uri);
  if (!material.digest.empty()) json["digest"] = digest_set(material.digest);
  return json;
}

bool is_left_out(const std::string& arg, ProvenanceMode mode) {
  return mode == ProvenanceMode::Min && (arg.starts_with("build-arg:") || arg.starts_with("label:"));
}

bool has_whole_request(const ProvenanceFacts& facts, ProvenanceMode mode) {
  return !facts.frontend.empty() &&
         std::ranges::none_of(facts.args, [&](const auto& arg) { return is_left_out(arg.first, mode); });
}

Json ids_json(const std::map<std::string, bool>& ids) {
  Json list = Json::array();
  for (const auto& [id, optional] : ids) {
    Json& entry = list.emplace_back(Json{{"id", id}});
    if (optional) entry["optional"] = true;
  }
  return list;
}

Json request_json(const ProvenanceFacts& facts, ProvenanceMode mode, const SecretMask& hidden) {
  Json request = Json::object();
  if (!facts.frontend.empty()) request["frontend"] = facts.frontend;
  Json args = Json::object();
  for (const auto& [name, value] : facts.args)
    if (!is_left_out(name, mode)) args[name] = hidden_text(hidden, value);
  if (!args.empty()) request["args"] = std::move(args);
  if (mode == ProvenanceMode::Max && !facts.secrets.empty()) request["secrets"] = ids_json(facts.secrets);
  if (mode == ProvenanceMode::Max && !facts.ssh.empty()) request["ssh"] = ids_json(facts.ssh);
  for (const std::string& name : facts.locals) request["locals"].push_back({{"name", name}});
  return request;
}

/// The context, and the Dockerfile's name under `path_key`.
Json config_source_json(const ProvenanceFacts& facts, const char* path_key, const SecretMask& hidden) {
  Json source = material_json(facts.source, hidden);
  if (!facts.file.empty()) source[path_key] = facts.file;
  return source;
}

std::map<Digest, std::string> step_ids(const ProvenanceFacts& facts) {
  std::map<Digest, std::string> ids;
  for (std::size_t i = 0; i < facts.steps.size(); ++i) ids.emplace(facts.steps[i]->digest, concat("step", i));
  return ids;
}

/// The steps, and the one without a body that points at the result.
Json build_config_json(const ProvenanceFacts& facts, const SecretMask& hidden) {
  const std::map<Digest, std::string> ids = step_ids(facts);
  Json steps = Json::array(), digests = Json::object();
  for (const Vertex* vertex : facts.steps) {
    Json& step = steps.emplace_back(
        Json{{"id", ids.at(vertex->digest)}, {"op", Json::parse(op_json(vertex->op, hidden))}});
    for (const Input& input : vertex->op.inputs)
      step["inputs"].push_back(concat(ids.at(input.vertex), ":", input.index));
  }
  for (const auto& [digest, id] : ids) digests[digest.str()] = id;
  if (!facts.steps.empty())
    steps.push_back({{"id", concat("step", facts.steps.size())},
                     {"op", {{"Op", Json::object()}}},
                     {"inputs", Json::array({concat(ids.at(facts.steps.back()->digest), ":0")})}});
  return {{"llbDefinition", std::move(steps)}, {"digestMapping", std::move(digests)}};
}

/// The texts, and where in them each step is.
Json source_json(const ProvenanceFacts& facts, const SecretMask& hidden) {
  const std::map<Digest, std::string> ids = step_ids(facts);
  Json infos = Json::array(), locations = Json::object();
  for (const SourceText& source : facts.sources) {
    Json& info = infos.emplace_back(Json{{"filename", source.name}});
    if (!source.language.empty()) info["language"] = source.language;
    info["data"] = base64_encode(hidden_text(hidden, source.text));
  }
  for (const Vertex* vertex : facts.steps) {
    const auto& at = vertex->info.location;
    if (!at) continue;
    const auto named = std::ranges::find(facts.sources, at->file, &SourceText::name);
    if (named == facts.sources.end()) continue;
    Json place = Json::object();
    if (named != facts.sources.begin()) place["sourceIndex"] = named - facts.sources.begin();
    const Json line{{"line", at->line}};
    place["ranges"] = Json::array({Json{{"start", line}, {"end", line}}});
    locations[ids.at(vertex->digest)]["locations"].push_back(std::move(place));
  }
  return {{"locations", std::move(locations)}, {"infos", std::move(infos)}};
}

/// The extension that BuildKit calls its metadata.
Json build_metadata_json(const ProvenanceFacts& facts, ProvenanceMode mode, const SecretMask& hidden) {
  Json json = Json::object();
  if (mode == ProvenanceMode::Min) return json;
  if (!facts.sources.empty()) json["source"] = source_json(facts, hidden);
  if (facts.steps.empty() || facts.layers.empty()) return json;
  Json layers = Json::array();
  for (const Descriptor& layer : facts.layers) layers.push_back(Json::parse(to_json(layer)));
  json["layers"][concat("step", facts.steps.size() - 1, ":0")].push_back(std::move(layers));
  return json;
}

Json extension_json(const ProvenanceFacts& facts) {
  Json json{{"platform", facts.platform.str()}, {"mode", facts.mode}};
  if (!facts.isolation.empty()) json["isolation"] = facts.isolation;
  json["twins"] = Json::parse(twins_json(facts.twins));
  if (!facts.emulation.empty()) json["emulation"] = Json::parse(emulation_json(facts.emulation));
  return json;
}

Json materials_json(const ProvenanceFacts& facts, const SecretMask& hidden) {
  Json list = Json::array();
  for (const Material& material : facts.materials) list.push_back(material_json(material, hidden));
  return list;
}

/// What is read of this machine's directories is in no list.
bool has_all_materials(const ProvenanceFacts& facts) { return facts.locals.empty(); }

Json predicate_1(const ProvenanceFacts& facts, const ProvenanceOptions& options, const SecretMask& hidden) {
  Json definition{{"buildType", kBuildType1},
                  {"externalParameters",
                   {{"configSource", config_source_json(facts, "path", hidden)},
                    {"request", request_json(facts, options.mode, hidden)}}}};
  Json& internal = definition["internalParameters"] = Json::object();
  if (options.mode == ProvenanceMode::Max) internal["buildConfig"] = build_config_json(facts, hidden);
  internal["builderPlatform"] = facts.builder.str();
  if (!facts.materials.empty()) definition["resolvedDependencies"] = materials_json(facts, hidden);
  Json metadata{{"invocationId", facts.invocation},
                {"startedOn", facts.started},
                {"finishedOn", facts.finished},
                {"buildkit_metadata", build_metadata_json(facts, options.mode, hidden)},
                {"buildkit_completeness",
                 {{"request", has_whole_request(facts, options.mode)},
                  {"resolvedDependencies", has_all_materials(facts)}}}};
  if (has_all_materials(facts) && !facts.network) metadata["buildkit_hermetic"] = true;
  if (options.reproducible) metadata["buildkit_reproducible"] = true;
  metadata[kSlipwayExtension] = extension_json(facts);
  return {
      {"buildDefinition", std::move(definition)},
      {"runDetails",
       {{"builder", {{"id", hidden_text(hidden, options.builder_id)}}}, {"metadata", std::move(metadata)}}}};
}

Json predicate_02(const ProvenanceFacts& facts, const ProvenanceOptions& options, const SecretMask& hidden) {
  Json json{{"builder", {{"id", hidden_text(hidden, options.builder_id)}}},
            {"buildType", kBuildType02},
            {"invocation",
             {{"configSource", config_source_json(facts, "entryPoint", hidden)},
              {"parameters", request_json(facts, options.mode, hidden)},
              {"environment", {{"platform", facts.builder.str()}}}}}};
  if (!facts.materials.empty()) json["materials"] = materials_json(facts, hidden);
  if (options.mode == ProvenanceMode::Max) json["buildConfig"] = build_config_json(facts, hidden);
  Json& metadata = json["metadata"] = {
      {"buildInvocationID", facts.invocation},
      {"buildStartedOn", facts.started},
      {"buildFinishedOn", facts.finished},
      {"completeness",
       {{"parameters", has_whole_request(facts, options.mode)},
        {"environment", true},
        {"materials", has_all_materials(facts)}}},
      {"reproducible", options.reproducible},
      {"https://mobyproject.org/buildkit@v1#metadata", build_metadata_json(facts, options.mode, hidden)}};
  if (has_all_materials(facts) && !facts.network)
    metadata["https://mobyproject.org/buildkit@v1#hermetic"] = true;
  metadata[kSlipwayExtension] = extension_json(facts);
  return json;
}

std::string purl_of(std::string_view type, const std::string& path, const ImageRef& name,
                    const Platform& platform) {
  std::vector<std::string> parts;
  for (const std::string& part : split(path, '/')) parts.push_back(percent_encode(part));
  std::string purl = concat("pkg:", type, "/", join(parts, "/"));
  if (!name.tag().empty()) purl += concat("@", percent_encode(name.tag()));
  purl += "?";
  // As there, the digest is not encoded.
  if (name.tag().empty() && name.digest()) purl += concat("digest=", name.digest()->str(), "&");
  return purl + concat("platform=", percent_encode(platform.str()));
}

}  // namespace

std::string emulation_json(const EmulationMarks& marks) {
  Json json = Json::object();
  for (const auto& [platform, mark] : marks) json[platform.str()] = word_of(mark.by);
  return json.dump();
}

std::string twins_json(const std::vector<TwinUse>& twins) {
  Json list = Json::array();
  for (const TwinUse& twin : twins)
    list.push_back({{"program", twin.program},
                    {"package", twin.package},
                    {"version", twin.version},
                    {"source", twin.source},
                    {"count", twin.count}});
  return dump(list);
}

std::string provenance_predicate(const ProvenanceFacts& facts, const ProvenanceOptions& options,
                                 const SecretMask& hidden) {
  return dump(options.version == ProvenanceVersion::V1 ? predicate_1(facts, options, hidden)
                                                       : predicate_02(facts, options, hidden));
}

std::string_view predicate_type(ProvenanceVersion version) {
  return version == ProvenanceVersion::V1 ? "https://slsa.dev/provenance/v1"
                                          : "https://slsa.dev/provenance/v0.2";
}

std::string in_toto_statement(ProvenanceVersion version, const std::vector<Subject>& subjects,
                              const std::string& predicate) {
  Json json{{"_type", "https://in-toto.io/Statement/v1"},
            {"predicateType", predicate_type(version)},
            {"subject", Json::array()}};
  for (const Subject& subject : subjects)
    json["subject"].push_back({{"name", subject.name}, {"digest", digest_set(subject.digest.str())}});
  json["predicate"] = Json::parse(predicate);
  return dump(json);
}

std::string image_purl(const ImageRef& name, const Platform& platform) {
  const std::string familiar = name.familiar();
  const std::size_t behind = name.str().size() - name.name().size();  // tag and digest
  return purl_of("docker", familiar.substr(0, familiar.size() - behind), name, platform);
}

std::string layout_purl(const ImageRef& name, const Platform& platform) {
  return purl_of("oci", name.repository(), name, platform);
}

}  // namespace slipway
