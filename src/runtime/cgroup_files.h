#pragma once
// Reading the files of control groups, of both versions (cgroups(7)). Private to this module.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slipway {

/// One line of /proc/self/mountinfo that mounts cgroups (proc(5)).
struct CgroupMount {
  std::filesystem::path root, point;
  bool v2 = false;
  std::string options;  ///< v1: its controllers among them

  /// Whether groups of it may have the controller: those of v1 do or do not, those of v2 say so themselves.
  bool may_have(std::string_view controller) const;
};

std::vector<CgroupMount> parse_cgroup_mounts(std::string_view mountinfo);

/// The directory of our group in the hierarchy that is mounted there, from the text of /proc/self/cgroup;
/// nothing if it is outside of what is mounted. `controller` is not asked of v2.
std::optional<std::filesystem::path> own_cgroup(const CgroupMount& mount, std::string_view own_cgroups,
                                                std::string_view controller);

/// Empty if it cannot be read.
std::string cgroup_text(const std::filesystem::path& file);
/// The number N of the line "NAME N"; 0 if there is none.
std::uint64_t cgroup_counter(const std::filesystem::path& file, std::string_view name);

bool has_word(std::string_view text, std::string_view word, char separator);

}  // namespace slipway
