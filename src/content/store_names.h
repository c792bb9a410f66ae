#pragma once
// The names at the top of a store. Private to this module.
#include <filesystem>
#include <string_view>

namespace slipway {

/// Also of files that are being written beside their targets, and of a database that was set aside.
bool is_store_name(std::string_view name);

/// Neither a store nor empty, nor what a process left that died while it made one.
bool is_foreign_directory(const std::filesystem::path& root);

}  // namespace slipway
