#include "build/metadata.h"

#include <nlohmann/json.hpp>

#include "base/strings.h"

namespace slipway {

namespace {

using Json = nlohmann::ordered_json;

// What steps write need not be UTF-8.
std::string dump(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

Json descriptor_json(const Descriptor& descriptor) { return Json::parse(to_json(descriptor)); }

}  // namespace

std::string image_id(const BuildResult& result) {
  return result.config ? result.config->str() : result.image ? result.image->digest.str() : "";
}

std::string metadata_json(const BuildResult& result) {
  Json json;
  if (result.image) {
    json["containerimage.digest"] = result.image->digest.str();
    json["containerimage.descriptor"] = descriptor_json(*result.image);
  }
  if (result.config) json["containerimage.config.digest"] = result.config->str();
  constexpr const char* kProvenance = "buildx.build.provenance";
  for (const PlatformSummary& platform : result.platforms)
    if (!platform.provenance.empty())
      json[result.platforms.size() == 1 ? kProvenance : concat(kProvenance, "/", platform.platform.str())] =
          Json::parse(platform.provenance);
  std::vector<std::string> names;
  for (const ImageRef& name : result.names) names.push_back(name.str());
  if (!names.empty()) json["image.name"] = join(names, ",");
  Json platforms = Json::array();
  for (const PlatformSummary& platform : result.platforms) {
    Json& shown = platforms.emplace_back(Json{{"platform", platform.platform.str()}});
    if (platform.manifest) {
      shown["digest"] = platform.manifest->digest.str();
      shown["size"] = platform.size;
    }
    shown["mode"] = platform.mode;
    shown["seconds"] = platform.seconds;
    if (!platform.isolation.empty()) shown["isolation"] = platform.isolation;
    if (!platform.twins.empty()) shown["twins"] = Json::parse(twins_json(platform.twins));
    if (!platform.emulation.empty()) shown["emulation"] = Json::parse(emulation_json(platform.emulation));
  }
  json["slipway"] = {{"platforms", platforms}};
  if (!result.isolation.empty()) json["slipway"]["isolation"] = result.isolation;
  return dump(json);
}

std::string error_kind(const Error& error) {
  if (dynamic_cast<const UsageError*>(&error)) return "usage";
  if (dynamic_cast<const BuildFailed*>(&error)) return "build-failed";
  if (dynamic_cast<const InvalidInput*>(&error)) return "invalid-input";
  if (dynamic_cast<const NotFound*>(&error)) return "not-found";
  if (dynamic_cast<const Denied*>(&error)) return "denied";
  if (dynamic_cast<const TransportError*>(&error)) return "transport";
  if (dynamic_cast<const IntegrityError*>(&error)) return "integrity";
  if (dynamic_cast<const HostError*>(&error)) return "host";
  if (dynamic_cast<const SystemError*>(&error)) return "system";
  return "error";
}

std::string metadata_json(const Error& error) {
  Json details{{"kind", error_kind(error)}, {"message", error.what()}, {"exitCode", exit_code_for(error)}};
  if (const auto* located = dynamic_cast<const LocatedError*>(&error); located && located->location()) {
    details["file"] = located->location()->file;
    details["line"] = located->location()->line;
  }
  if (const auto* failed = dynamic_cast<const BuildFailed*>(&error)) details["log"] = failed->log_tail();
  return dump(Json{{"slipway", Json{{"error", details}}}});
}

std::string cancelled_metadata_json() {
  return dump(
      Json{{"slipway",
            Json{{"error", Json{{"kind", "cancelled"}, {"message", "cancelled"}, {"exitCode", 130}}}}}});
}

}  // namespace slipway
