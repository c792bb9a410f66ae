#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace slipway {

/// SOURCE_DATE_EPOCH's value: seconds since the epoch; nothing if it is empty. Throws UsageError.
std::optional<std::int64_t> parse_source_date_epoch(std::string_view text);

}  // namespace slipway
