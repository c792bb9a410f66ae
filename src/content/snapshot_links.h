#pragma once
// Gives a finished tree its files of an earlier one. Private to this module.
#include <filesystem>

#include "base/error.h"
#include "content/copy_reuse.h"

namespace slipway {

/// Links every path of `files` into `upper`, whose directories are there and keep their times. A whiteout in
/// a file's place goes. Nothing is mounted above it. Throws ReuseLost if a file cannot be had so.
void link_reused(const ReusedFiles& files, const std::filesystem::path& upper);

}  // namespace slipway
