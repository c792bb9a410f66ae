#pragma once
// How much memory the machine could still give.
#include <cstdint>
#include <limits>
#include <string_view>

namespace slipway {

inline constexpr std::uint64_t kAnyMemory = std::numeric_limits<std::uint64_t>::max();

/// MemAvailable of a /proc/meminfo, in bytes; kAnyMemory if it does not say.
std::uint64_t parse_available_memory(std::string_view meminfo);
/// Of this machine, as it is now.
std::uint64_t available_memory() noexcept;

}  // namespace slipway
