#include "build/expected_layers.h"

#include <map>

#include "cache/cache_key.h"
#include "graph/root_image.h"

namespace slipway {

namespace {

class LayerCounts {
 public:
  LayerCounts(const Graph& graph, const DiffIdsOf& diff_ids_of) : graph_(graph), diff_ids_of_(diff_ids_of) {}

  // Each vertex once, inputs first: graphs are deeper than a stack, and merges may share what they merge.
  std::optional<std::size_t> of(const Digest& vertex) {
    for (const Digest& digest : graph_.reachable_from({vertex})) counts_[digest] = count(graph_.at(digest).op);
    return counts_.at(vertex);
  }

 private:
  std::optional<std::size_t> count(const Op& op) const {
    if (const auto* source = std::get_if<SourceOp>(&op.what)) return count(op, *source);
    if (std::holds_alternative<DiffOp>(op.what)) return std::nullopt;
    std::size_t total = std::holds_alternative<MergeOp>(op.what) ? 0 : 1;
    for (const int input : layer_inputs(op)) {
      const auto below = counts_.at(op.inputs.at(static_cast<std::size_t>(input)).vertex);
      if (!below) return std::nullopt;
      total += *below;
    }
    return total;
  }

  std::optional<std::size_t> count(const Op& op, const SourceOp& source) const {
    if (is_remote_source(op) || !local_source_name(op).empty()) return std::nullopt;
    const auto diff_ids = diff_ids_of_(source);
    return diff_ids ? std::optional(diff_ids->size()) : std::nullopt;
  }

  const Graph& graph_;
  const DiffIdsOf& diff_ids_of_;
  std::map<Digest, std::optional<std::size_t>> counts_;
};

}  // namespace

std::optional<std::size_t> expected_layer_count(const Graph& graph, const Digest& vertex,
                                                const DiffIdsOf& diff_ids_of) {
  return LayerCounts(graph, diff_ids_of).of(vertex);
}

}  // namespace slipway
