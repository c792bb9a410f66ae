#pragma once
// One line of comma separated values, as --mount and --device take them.
#include <string>
#include <string_view>
#include <vector>

namespace slipway::dockerfile {

/// The fields, read as Go's encoding/csv reads them: a field in "…" may hold commas and "" for a quote; a
/// quote anywhere else is an error. Throws TextError at the place, for empty text too.
std::vector<std::string> csv_fields(std::string_view text);

}  // namespace slipway::dockerfile
