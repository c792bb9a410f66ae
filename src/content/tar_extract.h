#pragma once
// A build context that came as a tar: written into a directory, whatever the archive says. Not for layers
// (layers.h), whose whiteouts and owners mean something.
#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/logger.h"

namespace slipway {

/// Bounds on what a small archive can make of a disk.
struct ExtractLimits {
  std::uint64_t entries = 1'000'000;
  std::uint64_t bytes = std::uint64_t{64} << 30;  ///< of all files together, unpacked
};

/// Entries of `fd` (tar; plain, gzip, bzip2, xz, zstd, lz4) below `directory`, which should be empty. Modes
/// and times are kept, owners are ours. Names are taken as relative to the directory, links on the way are
/// followed within it only; device nodes and sockets are left out. Throws InvalidInput, its message beginning
/// with `shown`, for what is no archive, ".." in a name, a hard link to nothing, and beyond the limits;
/// Cancelled, SystemError.
void extract_tar(int fd, const std::filesystem::path& directory, const ExtractLimits& limits,
                 const std::string& shown, Logger& logger, std::stop_token stop);

/// Whether bytes begin as an archive does: by a compression's magic number, or with a tar header. Give at
/// least the first 512 bytes if there are so many.
bool looks_like_archive(std::string_view head);

}  // namespace slipway
