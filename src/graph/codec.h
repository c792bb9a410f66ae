#pragma once
// The wire form of ops: BuildKit's LLB protobuf messages (solver/pb ops.proto field numbers), written
// deterministically. Not for reading what a build does: that is graph/ops.h.
#include <string>
#include <string_view>

#include "graph/graph.h"
#include "graph/ops.h"

namespace slipway {

/// Bytes of one pb.Op. Equal ops give equal bytes.
std::string encode_op(const Op& op);
/// Throws InvalidInput for bytes that are no pb.Op, or an op that slipway does not know.
Op decode_op(std::string_view bytes);

/// A pb.Definition of everything `result` needs, ending in the op without a body that points at it.
std::string encode_definition(const Graph& graph, const Digest& result);

}  // namespace slipway
