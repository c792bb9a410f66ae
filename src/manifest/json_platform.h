#pragma once
// The platform fields, which an index entry and an image config spell alike. Private to this module.
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "manifest/json_reader.h"
#include "platforms/platform.h"

namespace slipway {

/// From "os", "architecture", "variant", "os.version" of an object; nothing if it names neither.
std::optional<Platform> read_platform(const JsonNode& object);
void write_platform(nlohmann::ordered_json& object, const Platform& platform);
/// Without white space; bytes that are not UTF-8 (a label from a Dockerfile) become U+FFFD, as Go does.
std::string dump(const nlohmann::ordered_json& document);

}  // namespace slipway
