#include "build/cache_doubts.h"

#include <algorithm>
#include <variant>
#include <vector>

#include "cache/content_key.h"

namespace slipway {

std::map<Digest, CacheDoubt> cache_doubts(const Graph& graph) {
  std::map<Digest, CacheDoubt> doubts;
  for (const Vertex& vertex : graph.vertices()) {
    if (std::holds_alternative<SourceOp>(vertex.op.what)) continue;
    if (vertex.info.ignore_cache) {
      doubts.emplace(vertex.digest, CacheDoubt::All);
      continue;
    }
    if (doubts.empty()) continue;
    const std::vector<Input>& inputs = vertex.op.inputs;
    const bool stands_on_one =
        std::ranges::any_of(inputs, [&](const Input& input) { return doubts.contains(input.vertex); });
    if (!stands_on_one) continue;
    // The whole of a tree goes by the key of the step that made it, which is as it was.
    CacheDoubt doubt = CacheDoubt::Definition;
    const std::vector<InputReads> reads = input_reads(vertex);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const auto below = doubts.find(inputs[i].vertex);
      if (reads.at(i).whole && below != doubts.end() && below->second == CacheDoubt::All)
        doubt = CacheDoubt::All;
    }
    doubts.emplace(vertex.digest, doubt);
  }
  return doubts;
}

}  // namespace slipway
