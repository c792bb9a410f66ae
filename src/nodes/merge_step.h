#pragma once
// Trees laid over one another (COPY --link) as a step.
#include <stop_token>
#include <vector>

#include "base/progress.h"
#include "content/store.h"
#include "graph/graph.h"
#include "nodes/vertex_result.h"

namespace slipway {

/// The first input is the base; what the others changed, each against nothing, comes on top. Directories
/// whose owner or mode changes by that are named in the step's log. Throws InvalidInput for an input that is
/// no tree of the store, SystemError, Cancelled.
VertexResult run_merge_step(Store& store, ProgressSink& progress, const Vertex& vertex,
                            const std::vector<VertexResult>& inputs, std::stop_token stop);

}  // namespace slipway
