#pragma once
// The JSON (exec) form of an instruction's arguments: ["a", "b"].
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::dockerfile {

/// Nothing if the text is not meant as JSON: `[ -f x ] && y` is a shell command. Text that begins with [" or [' is meant
/// so, and throws TextError at the place where it is not JSON; so does an array of anything but strings.
std::optional<std::vector<std::string>> parse_json_form(std::string_view text);

}  // namespace slipway::dockerfile
