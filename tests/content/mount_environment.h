#pragma once
// Tests mount overlayfs for real. The test program moves into a mount namespace of its own, so that no mount can leak,
// with a tmpfs in it: overlayfs takes that as upper directory everywhere, and fsync on it costs nothing.
#include <filesystem>
#include <string>

namespace slipway::testing_support {

/// Where tests make their directories: the tmpfs, or the system's temp directory if there is no right to mount.
const std::filesystem::path& test_space();
/// Why this process may not mount; empty if it may.
const std::string& no_mounts_because();
/// A directory below test_space() that is a file system of its own with `bytes` of room. Lives as long as the program.
std::filesystem::path small_disk(std::size_t bytes);

}  // namespace slipway::testing_support

#define SLIPWAY_NEEDS_MOUNTS()                                               \
  if (!slipway::testing_support::no_mounts_because().empty())                \
  GTEST_SKIP() << "cannot mount: " << slipway::testing_support::no_mounts_because()
