#pragma once
#include <compare>
#include <cstdint>

namespace slipway {

/// A committed snapshot's row in the store's database. Only the store makes one.
struct SnapshotId {
  std::int64_t value = 0;
  auto operator<=>(const SnapshotId&) const = default;
};

}  // namespace slipway
