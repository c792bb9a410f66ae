#pragma once
// Sizes of memory as people write them.
#include <cstdint>
#include <optional>
#include <string_view>

namespace slipway::dockerfile {

/// "64m", "1.5 GiB", "2kb", "512": bytes in powers of 1024, whatever the case of the unit, as docker reads
/// them. Nothing if it is no such text or does not fit.
std::optional<std::int64_t> parse_memory_size(std::string_view text);

}  // namespace slipway::dockerfile
