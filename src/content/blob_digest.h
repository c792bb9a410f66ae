#pragma once
// Whether bytes are the blob that they are called.
#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string_view>

#include "base/digest.h"

namespace slipway {

/// Also false for what is not there or no plain file. Throws SystemError if it cannot be read.
bool is_blob(const std::filesystem::path& path, const Digest& digest);

/// What can be said without reading it: a plain file of that size. Writing blobs under another name first
/// leaves no other, but for disks that lost power.
bool has_blob_size(const std::filesystem::path& path, std::uint64_t size);

/// Copies a blob's bytes into an empty file, sharing them where the file system can (FICLONE), and digests
/// them on the way. Throws IntegrityError if they are not `size` bytes of `digest`, Cancelled, SystemError.
void copy_blob_bytes(int from, int to, const Digest& digest, std::uint64_t size, std::string_view shown,
                     const std::stop_token& stop);

}  // namespace slipway
