#pragma once
// The wire form of ops: BuildKit's LLB protobuf messages (solver/pb ops.proto field numbers), written
// deterministically. Not for reading what a build does: that is graph/ops.h.
#include <string>
#include <string_view>

#include "graph/ops.h"

namespace slipway {

/// Bytes of one pb.Op. Equal ops give equal bytes.
std::string encode_op(const Op& op);
/// What encode_op() gives comes back as it was; bytes that others made need not be those that encode_op()
/// gives for the same op. Throws InvalidInput for bytes that are no pb.Op, for an op or a field that slipway
/// does not know, and for an index of what is not there.
Op decode_op(std::string_view bytes);

}  // namespace slipway
