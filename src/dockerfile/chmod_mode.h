#pragma once
// What --chmod takes: "0755", or symbols as chmod(1) has them ("u=rw,go-w,+X").
#include <optional>
#include <string_view>

namespace slipway::dockerfile {

/// An octal number of at most 07777.
std::optional<unsigned> parse_octal_mode(std::string_view text);
/// True for [ugoa]*([-+=][rwxXstugo]*)+, several of them with commas between.
bool is_symbolic_mode(std::string_view text);

}  // namespace slipway::dockerfile
