#pragma once
// Which cache mounts (RUN --mount=type=cache) a layer cache takes along, by mounts= of --cache-to and
// --cache-from.
#include <cstdint>
#include <string>
#include <vector>

#include "build/attributes.h"

namespace slipway {

struct MountSelection {
  bool all = false;
  std::vector<std::string> ids;

  bool empty() const { return !all && ids.empty(); }
  /// An id without a platform stands for all of its platforms: "/root/.cache" for
  /// "/root/.cache@linux/arm64".
  bool has(const std::string& id) const;
};

/// Takes mounts=true|false|ID,... Throws UsageError.
MountSelection take_mounts(Attributes& attributes, const char* flag);

inline constexpr std::uint64_t kDefaultMostMountBytes = 2'000'000'000;

/// Takes mounts-max-size=. Throws UsageError.
std::uint64_t take_most_mount_bytes(Attributes& attributes, const char* flag);

}  // namespace slipway
