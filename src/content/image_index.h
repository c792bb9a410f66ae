#pragma once
// index.json as the table of names gives it. Private to this module.
#include <string>
#include <vector>

#include "content/database.h"

namespace slipway {

/// The annotation that holds a name in index.json.
inline constexpr const char* kImageRefName = "org.opencontainers.image.ref.name";

/// The bytes of index.json. Throws InvalidInput if a row is damaged.
std::string index_json(const std::vector<Database::ImageRow>& images);

}  // namespace slipway
