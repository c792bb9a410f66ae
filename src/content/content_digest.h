#pragma once
// The digest of a file's bytes that knows holes: a sparse file costs what is written in it. Internal to the
// tree functions.
#include <cstdint>
#include <stop_token>
#include <string_view>

#include "base/digest.h"

namespace slipway {

/// Depends on the bytes alone, not on where the file system keeps holes. It is the bytes' own digest unless
/// an aligned block of 4 KiB of them is all zeros. Throws Cancelled, SystemError. `size` is what the file is
/// thought to have; any is right, one that is true is fast.
Digest digest_of_content(int fd, std::uint64_t size, std::string_view shown, const std::stop_token& stop);

}  // namespace slipway
