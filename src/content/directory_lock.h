#pragma once
// Taking turns at a directory that several slipways write to: an image layout, a cache.
#include <filesystem>
#include <stop_token>

#include "base/unique_fd.h"

namespace slipway {

/// Has the directory's lock (flock(2)) until the descriptor is closed. Throws Cancelled, SystemError.
UniqueFd lock_directory(const std::filesystem::path& directory, const std::stop_token& stop);

}  // namespace slipway
