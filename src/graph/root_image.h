#pragma once
// Which image the root of a step began as.
#include "graph/graph.h"

namespace slipway {

/// The image source at the bottom of what `vertex` (in `graph`) makes or changes: through the root of
/// processes, the tree that file actions change, the lowest of merged trees. Null if that is no image.
const Vertex* root_image(const Graph& graph, const Digest& vertex);

}  // namespace slipway
