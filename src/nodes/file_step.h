#pragma once
// One file operation (COPY, WORKDIR, ...) as a step: prepare, apply, commit.
#include <stop_token>
#include <vector>

#include "content/store.h"
#include "graph/graph.h"
#include "nodes/local_contexts.h"
#include "nodes/vertex_result.h"

namespace slipway {

/// Throws InvalidInput at the vertex's instruction for what its paths or the trees are to blame for,
/// SystemError, Cancelled. Leaves nothing behind if it throws.
VertexResult run_file_step(Store& store, LocalContexts& contexts, const Vertex& vertex, const FileOp& file,
                           const std::vector<VertexResult>& inputs, std::stop_token stop);

}  // namespace slipway
