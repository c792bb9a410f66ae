#pragma once
// Values as Go's fmt prints them: image histories are made of these, and people compare them.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::dockerfile {

/// %q: "…" with what does not print escaped.
std::string go_quoted(std::string_view text);
/// %q of a list: ["a" "b"].
std::string go_quoted_list(const std::vector<std::string>& list);
/// %v of a list: [a b].
std::string go_list(const std::vector<std::string>& list);
/// %v of a time.Duration: "1m30s", "1.5s", "100ms", "0s".
std::string go_duration(std::int64_t nanoseconds);

}  // namespace slipway::dockerfile
