#pragma once
// Tables as slipway writes them, by name: where the fuzzer begins.
#include <filesystem>
#include <map>
#include <string>

namespace slipway::testing {

/// `tree`: an empty directory.
std::map<std::string, std::string> twin_table_seeds(const std::filesystem::path& tree);

}  // namespace slipway::testing
