#pragma once
// What steps that are run in any case (--no-cache, --no-cache-filter) mean for those that stand on them.
#include <map>

#include "base/digest.h"
#include "graph/graph.h"

namespace slipway {

enum class CacheDoubt {
  Definition,  ///< it reads parts of what is made anew: only their content tells whether its result is known
  All,         ///< it is made anew, or is a change to what is
};

/// Of the vertices that there is a doubt of; sources have none.
std::map<Digest, CacheDoubt> cache_doubts(const Graph& graph);

}  // namespace slipway
