#pragma once
// Values of prune's and du's flags: sizes, durations, filters.
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "content/store_prune.h"

namespace slipway {

/// "10GB", "512m", "1.5 GiB" (powers of 1024, as docker reads them) or "10%" of `file_system`; "0" is no
/// limit. Throws UsageError.
std::optional<std::uint64_t> parse_space(const std::string& text, std::uint64_t file_system,
                                         const char* flag);

/// "90s", "1h30m", "48h", "7d", or a number of seconds; "0" is none. Throws UsageError.
std::optional<std::int64_t> parse_keep_duration(const std::string& text, const char* flag);

struct RecordFilter {
  std::function<bool(const StoreUsage&, const StoreRecord&)> matches;  ///< empty: all
  std::optional<std::int64_t> keep_seconds;                            ///< of until=
};

/// Of buildx: id, parents, description, type with =, != and ~= (a regular expression); inuse, shared,
/// private, mutable, immutable, alone or with =true or =false; until=DURATION. All must match; commas part
/// them too. Throws UsageError.
RecordFilter parse_record_filters(const std::vector<std::string>& filters);

/// Matches what one of these matches. Throws UsageError.
std::function<bool(const StoreUsage&, const StoreRecord&)> parse_any_filter(
    const std::vector<std::string>& filters);

}  // namespace slipway
