#pragma once
// Reading .dockerignore: NAME.dockerignore beside the Dockerfile wins over .dockerignore at the context's root.
#include <string>
#include <string_view>
#include <vector>

namespace slipway::dockerfile {

/// The patterns in order, cleaned as moby/patternmatcher's ignorefile does (BOM, comments at column 0, trim, "!" kept
/// in front, filepath.Clean, leading "/" dropped).
std::vector<std::string> read_ignore_file(std::string_view text);

}  // namespace slipway::dockerfile
