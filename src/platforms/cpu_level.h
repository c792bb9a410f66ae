#pragma once
// amd64's microarchitecture levels (x86-64 psABI, "Micro-Architecture Levels") as platform variants: v2, v3,
// v4.
#include <optional>
#include <string>

#include "platforms/platform.h"

namespace slipway {

/// The level that `target` asks for and this process's CPU lacks, such as "x86-64-v4"; nothing if it has it,
/// or if host or target are of another architecture.
std::optional<std::string> missing_cpu_level(const Platform& host, const Platform& target);

}  // namespace slipway
