#pragma once
// How many layers a step's result has by what it is made of. What a cache gives for it must have as many: an
// image's history has an entry for each.
#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

#include "base/digest.h"
#include "graph/graph.h"

namespace slipway {

/// The diff_ids of an image's layers; nothing if they are not known here.
using DiffIdsOf = std::function<std::optional<std::vector<Digest>>(const SourceOp& image)>;

/// Nothing where only making it tells: of differences, of what is fetched, and of what stands on such.
std::optional<std::size_t> expected_layer_count(const Graph& graph, const Digest& vertex,
                                                const DiffIdsOf& diff_ids_of);

}  // namespace slipway
