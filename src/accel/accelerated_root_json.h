#pragma once
// An AcceleratedRoot as text, for callers that keep one beside an image. Reading is strict: what was not
// written by this version is not read.
#include <string>
#include <string_view>

#include "accel/twin.h"

namespace slipway {

std::string encode(const AcceleratedRoot& root);
/// Throws InvalidInput for anything but what encode() writes, two twins of one inode included.
AcceleratedRoot decode_accelerated_root(std::string_view text);

}  // namespace slipway
