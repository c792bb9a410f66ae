#pragma once
// Names of variables in words that are expanded.
#include <cstddef>
#include <string_view>

namespace slipway::dockerfile {

/// How many bytes of text[at…] are a variable's name: letters (of any script), digits and "_"; or digits
/// alone; or one of the shell's special parameters @ * # ? - $ !. 0 if none is there.
std::size_t name_length(std::string_view text, std::size_t at);

}  // namespace slipway::dockerfile
