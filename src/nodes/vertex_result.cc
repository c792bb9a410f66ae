#include "nodes/vertex_result.h"

#include <chrono>

namespace slipway {

std::int64_t now_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::optional<SnapshotId> snapshot_of(int input, const std::vector<VertexResult>& inputs) {
  if (input < 0) return std::nullopt;
  return inputs.at(static_cast<std::size_t>(input)).snapshot;
}

}  // namespace slipway
