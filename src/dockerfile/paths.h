#pragma once
// Paths as text: inside images and contexts, always with "/".
#include <string>
#include <string_view>

namespace slipway::dockerfile {

/// Lexically shortest form: no empty or "." parts, ".." resolved; ".." at the root is the root. "" becomes
/// ".".
std::string clean_path(std::string_view path);
/// clean_path of "/" + path: what `path` names when it cannot leave the root.
std::string clean_absolute(std::string_view path);
/// `path` itself if absolute, else below `directory`; clean.
std::string resolve_path(std::string_view directory, std::string_view path);
/// What WORKDIR makes of `path`: one that is absolute stays as written, ".." and all; a relative one is below
/// `directory`, which is where an empty one stays.
std::string workdir_path(std::string_view directory, std::string_view path);
/// The last part; "." for "", "/" for the root.
std::string base_name(std::string_view path);

}  // namespace slipway::dockerfile
