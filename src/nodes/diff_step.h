#pragma once
// What one tree changes of another as a step.
#include <stop_token>
#include <vector>

#include "content/store.h"
#include "graph/ops.h"
#include "nodes/vertex_result.h"

namespace slipway {

/// Throws InvalidInput for an input that is no tree of the store, SystemError, Cancelled.
VertexResult run_diff_step(Store& store, const DiffOp& diff, const std::vector<VertexResult>& inputs,
                           std::stop_token stop);

}  // namespace slipway
