#pragma once
// One merged DAG for all platforms of a build. A vertex is an op plus what people need to know of it; its
// digest is that of the op's wire form (graph/codec.h), so equal work of two platforms is one vertex.
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/digest.h"
#include "base/error.h"
#include "graph/ops.h"
#include "platforms/platform.h"

namespace slipway {

/// Facts about a vertex that are not part of its digest.
struct VertexInfo {
  std::string name;                        ///< "[linux/arm64 build 2/3] RUN make"
  std::optional<SourceLocation> location;  ///< the instruction it comes from
  bool ignore_cache = false;               ///< --no-cache
  std::string metadata = {};  ///< as a pb.OpMetadata, what came beside a received op and is nothing to us
  /// As a pb.Locations, all places of a received op, ends included, in the texts that came with it.
  std::string locations = {};
};

struct Vertex {
  Digest digest;
  Op op;
  VertexInfo info;
  std::vector<Platform> lanes;  ///< the target platforms that need it, in the order they asked
  std::string received;         ///< the op's bytes, if they are others than encode_op() gives

  /// What the digest is of.
  std::string bytes() const;
};

/// Vertices in topological order (inputs first). Not thread-safe; built by one thread, then read only.
class Graph {
 public:
  /// Adds the vertex, or finds the equal one that is there; either way `lane` is noted (absent: none).
  /// The inputs must be in the graph. Returns the digest.
  Digest add(Op op, VertexInfo info, const std::optional<Platform>& lane);

  /// The same for an op that was read from `bytes`, which the digest is then of.
  Digest add_received(Op op, std::string_view bytes, VertexInfo info, const std::optional<Platform>& lane);

  const std::deque<Vertex>& vertices() const { return vertices_; }
  const Vertex& at(const Digest& digest) const;  ///< aborts if absent: a bug
  bool contains(const Digest& digest) const { return by_digest_.contains(digest); }

  /// The vertices that `roots` need, roots included, in topological order.
  std::vector<Digest> reachable_from(const std::vector<Digest>& roots) const;

 private:
  Digest insert(const Digest& digest, Op op, std::string_view received, VertexInfo info,
                const std::optional<Platform>& lane);

  std::deque<Vertex> vertices_;  ///< a large graph grows without moving its ops
  std::unordered_map<Digest, std::size_t> by_digest_;
};

}  // namespace slipway
