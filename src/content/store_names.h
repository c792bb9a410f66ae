#pragma once
// The names at the top of a store. Private to this module.
#include <string_view>

namespace slipway {

/// Also of files that are being written beside their targets, and of a database that was set aside.
bool is_store_name(std::string_view name);

}  // namespace slipway
