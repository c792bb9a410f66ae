#pragma once
// The JSON (exec) form of an instruction's arguments: ["a", "b"].
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::dockerfile {

/// The strings, or nothing if the text is no JSON array: `[ -f x ] && y` is a shell command. Throws TextError
/// at the place for a valid array that holds anything but strings.
std::optional<std::vector<std::string>> parse_json_form(std::string_view text);

/// For text that is no JSON array though it begins like one of strings (by [" or ['): where it goes wrong.
std::optional<std::size_t> looks_like_json_form(std::string_view text);

}  // namespace slipway::dockerfile
