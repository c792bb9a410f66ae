#pragma once
#include <string>
#include <vector>

#include "manifest/image_ref.h"

namespace slipway {

/// --tag's values. Throws UsageError for what is no name, or has a digest.
std::vector<ImageRef> parse_tags(const std::vector<std::string>& texts);

}  // namespace slipway
