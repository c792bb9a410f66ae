#pragma once
#include <string_view>

namespace slipway {

/// Whether a variable holds a secret, by its name: words between underscores that mean secrets, unless
/// another says that it is none.
bool names_secret(std::string_view name);

}  // namespace slipway
