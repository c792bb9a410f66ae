#pragma once
// "No space left on device" with the number that tells a user whether to clean up or to move. Private to this module.
#include <filesystem>
#include <string>

#include "base/error.h"

namespace slipway {

/// "12.3MB left on the file system of PATH", or nothing if it cannot be told.
std::string space_left(const std::filesystem::path& path);

/// For ENOSPC and EDQUOT: the same error with the space left and a hint; others as they are.
SystemError with_space_left(const SystemError& error, const std::filesystem::path& path);

}  // namespace slipway
