#pragma once
// How much memory steps can still have: what the machine could give, and what the limits of the control
// groups that we are in leave (a pod's, a CI job's, systemd's).
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

namespace slipway {

inline constexpr std::uint64_t kAnyMemory = std::numeric_limits<std::uint64_t>::max();

/// MemAvailable of a /proc/meminfo, in bytes; kAnyMemory if it does not say.
std::uint64_t parse_available_memory(std::string_view meminfo);
/// The least that the limits of our group and of those above it leave, from the texts of /proc/self/cgroup
/// and /proc/self/mountinfo; kAnyMemory if there is no limit. What the kernel can drop at once (inactive file
/// pages) counts as free. Swap does not.
std::uint64_t memory_left_in_groups(std::string_view own_cgroups, std::string_view mountinfo);
/// As it is now.
std::uint64_t available_memory() noexcept;

/// Tells whether the kernel killed a process for want of memory since this was made: any process of our group
/// or, with version 2, of the groups above it. Throws nothing.
class MemoryKills {
 public:
  MemoryKills() noexcept;  ///< in the groups of this process
  MemoryKills(std::string_view own_cgroups, std::string_view mountinfo);

  /// Bytes that the tightest of these groups may use, if something was killed: kAnyMemory if none has a
  /// limit.
  std::optional<std::uint64_t> limit() const;

 private:
  struct Group {
    std::filesystem::path events, limit;
    std::uint64_t kills = 0;
  };
  std::vector<Group> groups_;
};

}  // namespace slipway
