#pragma once
// White space as the language has it: Unicode's where a line begins or ends and between NAME=VALUE words,
// ASCII's (is_blank of logical_lines.h) between all other words.
#include <cstddef>
#include <string_view>

namespace slipway::dockerfile {

/// How many bytes the white space character at text[at] has; 0 if something else is there.
std::size_t space_at(std::string_view text, std::size_t at);

/// How many bytes of white space the text begins with.
std::size_t leading_spaces(std::string_view text);
std::string_view trim_spaces(std::string_view text);

}  // namespace slipway::dockerfile
