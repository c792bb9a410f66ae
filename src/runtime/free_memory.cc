#include "runtime/free_memory.h"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <string>

#include "base/strings.h"
#include "runtime/cgroup_files.h"

namespace slipway {
namespace fs = std::filesystem;

namespace {

constexpr std::string_view kController = "memory";
constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 62;  // what v1 says then is a little less than 2^63

struct Files {
  const char* limit;
  const char* used;
  const char* droppable;  ///< in memory.stat, of the group and those below it
  const char* events;
};
constexpr Files kV1{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file",
                    "memory.oom_control"};
constexpr Files kV2{"memory.max", "memory.current", "inactive_file", "memory.events"};
constexpr std::string_view kKills = "oom_kill";

/// Calls `visit` with our group and those above it, and with the names of their files.
template <class Visit>
void visit_groups(std::string_view own_cgroups, std::string_view mountinfo, const Visit& visit) {
  for (const CgroupMount& mount : parse_cgroup_mounts(mountinfo)) {
    if (!mount.may_have(kController)) continue;
    const auto own = own_cgroup(mount, own_cgroups, kController);
    if (!own) continue;
    for (fs::path group = *own;; group = group.parent_path()) {
      visit(group, mount.v2 ? kV2 : kV1);
      if (group == mount.point || !group.has_relative_path()) break;
    }
  }
}

// No limit is "max", or no such file, or (v1) more than there can be.
std::uint64_t left_in(const fs::path& group, const Files& files) {
  const auto limit = parse_unsigned(trim(cgroup_text(group / files.limit)));
  const auto used = parse_unsigned(trim(cgroup_text(group / files.used)));
  if (!limit || !used) return kAnyMemory;
  const std::uint64_t held = *used - std::min(*used, cgroup_counter(group / "memory.stat", files.droppable));
  return *limit - std::min(*limit, held);
}

}  // namespace

std::uint64_t parse_available_memory(std::string_view meminfo) {
  constexpr std::string_view kName = "MemAvailable:";
  const std::size_t at = meminfo.find(kName);
  if (at == std::string_view::npos) return kAnyMemory;
  std::string_view value = meminfo.substr(at + kName.size());
  value = trim(value.substr(0, value.find("kB")));
  const auto kibibytes = parse_unsigned(value);
  if (!kibibytes || *kibibytes > kAnyMemory / 1024) return kAnyMemory;
  return *kibibytes * 1024;
}

std::uint64_t memory_left_in_groups(std::string_view own_cgroups, std::string_view mountinfo) {
  std::uint64_t left = kAnyMemory;
  visit_groups(own_cgroups, mountinfo, [&](const fs::path& group, const Files& files) {
    left = std::min(left, left_in(group, files));
  });
  return left;
}

std::uint64_t available_memory() noexcept {
  try {
    return std::min(
        parse_available_memory(cgroup_text("/proc/meminfo")),
        memory_left_in_groups(cgroup_text("/proc/self/cgroup"), cgroup_text("/proc/self/mountinfo")));
  } catch (const std::exception&) {
    return kAnyMemory;  // then nothing is held back for want of it
  }
}

MemoryKills::MemoryKills() noexcept {
  try {
    *this = MemoryKills(cgroup_text("/proc/self/cgroup"), cgroup_text("/proc/self/mountinfo"));
  } catch (const std::exception&) {
    groups_.clear();  // then nobody can tell
  }
}

MemoryKills::MemoryKills(std::string_view own_cgroups, std::string_view mountinfo) {
  visit_groups(own_cgroups, mountinfo, [&](const fs::path& group, const Files& files) {
    groups_.push_back({group / files.events, group / files.limit, 0});
    groups_.back().kills = cgroup_counter(groups_.back().events, kKills);
  });
}

std::optional<std::uint64_t> MemoryKills::limit() const {
  std::uint64_t least = kAnyMemory;
  bool killed = false;
  for (const Group& group : groups_) {
    killed = killed || cgroup_counter(group.events, kKills) > group.kills;
    const auto limit = parse_unsigned(trim(cgroup_text(group.limit)));
    if (limit && *limit < kNoLimit) least = std::min(least, *limit);
  }
  return killed ? std::optional(least) : std::nullopt;
}

}  // namespace slipway
