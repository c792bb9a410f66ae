#pragma once
// The content keys (cache/content_key.h) of steps whose inputs are trees of this machine's store.
#include <optional>
#include <stop_token>
#include <vector>

#include "content/store.h"
#include "graph/graph.h"
#include "nodes/local_contexts.h"
#include "nodes/vertex_result.h"

namespace slipway {

/// One for each side: they differ where a tree has another name in caches (VertexResult::name_in_caches).
struct ContentKeys {
  Digest here, in_caches;
};

/// Nothing for a source, and for a step that reads what is not there: running it tells what is wrong. Digests
/// what the step reads of stages and images, once for each snapshot. Throws Cancelled, SystemError.
std::optional<ContentKeys> content_keys_of(Store& store, LocalContexts& contexts, const Vertex& vertex,
                                           const std::vector<VertexResult>& inputs, std::stop_token stop);

}  // namespace slipway
