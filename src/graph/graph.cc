#include "graph/graph.h"

#include <algorithm>
#include <set>

#include "base/check.h"
#include "graph/codec.h"

namespace slipway {

std::string Vertex::bytes() const { return received.empty() ? encode_op(op) : received; }

Digest Graph::add(Op op, VertexInfo info, const std::optional<Platform>& lane) {
  const Digest digest = Digest::of(encode_op(op));
  return insert(digest, std::move(op), {}, std::move(info), lane);
}

Digest Graph::add_received(Op op, std::string_view bytes, VertexInfo info,
                           const std::optional<Platform>& lane) {
  const bool is_ours = encode_op(op) == bytes;
  return insert(Digest::of(bytes), std::move(op), is_ours ? std::string_view() : bytes, std::move(info),
                lane);
}

Digest Graph::insert(const Digest& digest, Op op, std::string_view received, VertexInfo info,
                     const std::optional<Platform>& lane) {
  for (const Input& input : op.inputs)
    SLIPWAY_CHECK(contains(input.vertex), "inputs are added before their users");
  auto found = by_digest_.find(digest);
  if (found == by_digest_.end()) {
    found = by_digest_.emplace(digest, vertices_.size()).first;
    vertices_.push_back({.digest = digest,
                         .op = std::move(op),
                         .info = std::move(info),
                         .lanes = {},
                         .received = std::string(received)});
  }
  if (lane) {
    std::vector<Platform>& lanes = vertices_[found->second].lanes;
    // A lane is lowered in one go, so it is the last one if it is there at all; looked for all the same.
    const bool noted =
        !lanes.empty() && (lanes.back() == *lane || std::ranges::find(lanes, *lane) != lanes.end());
    if (!noted) lanes.push_back(*lane);
  }
  return digest;
}

const Vertex& Graph::at(const Digest& digest) const {
  const auto found = by_digest_.find(digest);
  SLIPWAY_CHECK(found != by_digest_.end(), "the vertex is in the graph");
  return vertices_[found->second];
}

std::vector<Digest> Graph::reachable_from(const std::vector<Digest>& roots) const {
  std::set<Digest> wanted(roots.begin(), roots.end());
  std::vector<Digest> found;
  // Users come after their inputs, so one pass from the end sees every user before its inputs.
  for (auto vertex = vertices_.rbegin(); vertex != vertices_.rend(); ++vertex) {
    if (!wanted.contains(vertex->digest)) continue;
    found.push_back(vertex->digest);
    for (const Input& input : vertex->op.inputs) wanted.insert(input.vertex);
  }
  std::ranges::reverse(found);
  return found;
}

}  // namespace slipway
