#pragma once
// Which image the root of a step began as.
#include <vector>

#include "graph/graph.h"

namespace slipway {

/// The inputs, by index, whose layers are below those of what the op makes: the root of a process, the tree
/// that file actions change, all merged trees.
std::vector<int> layer_inputs(const Op& op);

/// The image source at the bottom of what `vertex` (in `graph`) makes or changes: through the root of
/// processes, the tree that file actions change, the lowest of merged trees. Null if that is no image.
const Vertex* root_image(const Graph& graph, const Digest& vertex);

}  // namespace slipway
