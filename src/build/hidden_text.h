#pragma once
// Text on its way into provenance, which everybody may read who may read the image.
#include <string>
#include <string_view>

#include "base/secret_mask.h"

namespace slipway {

/// Without the build's secrets, and without users and passwords of URLs wherever in the text one stands:
/// "***" is in their place.
std::string hidden_text(const SecretMask& secrets, std::string_view text);

}  // namespace slipway
