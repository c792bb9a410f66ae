#pragma once
// Paths within a tree, by name: what a path with links in it really is. For the tree functions and what
// else resolves paths in a tree.
#include <string>
#include <string_view>
#include <vector>

#include "base/rooted.h"

namespace slipway {

/// Without "", "." and "..", as if the tree's root were "/": "/a/../b//c/" is {"b", "c"}.
std::vector<std::string> path_components(std::string_view path);

/// The path without links in it, relative to the tree's root ("" is the root). The last component is followed
/// only if `follow_last`. What does not exist stays as it is named. Throws InvalidInput for a loop of links.
std::string real_path_in(const RootedDir& tree, std::string_view path, bool follow_last);

std::string_view base_name(std::string_view path);

}  // namespace slipway
