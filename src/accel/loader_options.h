#pragma once
// Which dynamic loaders can start a twin under a name of the caller's choice, and preload the shim.
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace slipway {

/// By its name: "ld-musl-x86_64.so.1", or "libc.so", which it is a link to elsewhere.
bool is_musl_loader(std::string_view loader);

/// Why the loader at `loader` in `tree` cannot start twins: it is not there, or too old (glibc before 2.33
/// and musl before 1.2.2 do not know --argv0, and would take it for the program). Nothing if it can. It is
/// looked into, not run: the tree is somebody's image.
std::optional<std::string> loader_shortcoming(const std::filesystem::path& tree, std::string_view loader);

}  // namespace slipway
