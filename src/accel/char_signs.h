#pragma once
// A char has a sign on x86 and none on the machines that it stands in for here (arm64, riscv64, ppc64le).
// Where a function of a program tells by that, a twin is a copy in which it loads chars as they do.
#include <map>
#include <optional>
#include <string>

#include "accel/elf_image.h"

namespace slipway {

/// Exported functions, and how many chars each of them loads.
using CharFunctions = std::map<std::string, std::size_t>;

/// `bytes`, which begin as `image` does, a program for x86-64, with `functions` changed. Nothing if one of
/// them is not there, or not as it is thought to be.
std::optional<std::string> with_unsigned_chars(std::string bytes, const ElfImage& image,
                                               const CharFunctions& functions);

}  // namespace slipway
