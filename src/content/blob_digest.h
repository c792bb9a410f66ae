#pragma once
// Whether a file is the blob that it is called. Private to this module.
#include <filesystem>

#include "base/digest.h"

namespace slipway {

/// Also false for what is not there or no plain file. Throws SystemError if it cannot be read.
bool is_blob(const std::filesystem::path& path, const Digest& digest);

}  // namespace slipway
