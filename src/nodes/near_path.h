#pragma once
// A file that somebody may have meant who named one that is not there.
#include <optional>
#include <string>
#include <string_view>

#include "base/rooted.h"
#include "content/patterns.h"

namespace slipway {

/// The path in `tree` that is nearest to `path`, absolute: each part that does not exist is taken for another
/// case or a typing error of what its directory holds. Nothing if there is none, if `path` exists, has
/// wildcards, or is found only among what `ignored` keeps out. Reads large directories in part. Never throws
/// for what is in the tree: a hint is not worth an error.
std::optional<std::string> near_path(const RootedDir& tree, const PatternMatcher& ignored,
                                     std::string_view path);

}  // namespace slipway
