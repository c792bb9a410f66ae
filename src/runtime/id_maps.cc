#include "runtime/id_maps.h"

#include <algorithm>
#include <optional>
#include <sstream>

#include "base/files.h"
#include "base/strings.h"

namespace slipway {
namespace {

constexpr std::uint64_t kAllIds = 4294967295;
// The kernel takes no more lines than this (UID_GID_MAP_MAX_EXTENTS), and newuidmap gets them as arguments.
constexpr std::size_t kMaxRanges = 340;

}  // namespace

IdMap parse_id_map(std::string_view text) {
  IdMap map;
  for (const std::string& line : split(text, '\n')) {
    std::istringstream fields(line);
    IdRange range;
    if (fields >> range.inside >> range.outside >> range.count) map.push_back(range);
  }
  return map;
}

IdMap read_own_uid_map() { return parse_id_map(read_file("/proc/self/uid_map")); }
IdMap read_own_gid_map() { return parse_id_map(read_file("/proc/self/gid_map")); }

bool is_mapped(const IdMap& map, std::uint64_t inside) {
  return std::any_of(map.begin(), map.end(), [&](const IdRange& range) {
    return inside >= range.inside && inside - range.inside < range.count;
  });
}

std::uint64_t id_count(const IdMap& map) {
  std::uint64_t count = 0;
  for (const IdRange& range : map) count += range.count;
  return std::min(count, kAllIds);
}

bool is_user_namespace(const IdMap& map) {
  return map != IdMap{{.inside = 0, .outside = 0, .count = kAllIds}};
}

std::string identity_lines(const IdMap& map) {
  std::string lines;
  const auto add = [&lines](std::uint64_t first, std::uint64_t count) {
    if (count > 0) lines += concat(first, " ", first, " ", count, "\n");
  };
  for (const IdRange& range : map) {
    // All ids in one line is how the machine's first namespace looks, and what runtimes (crun, systemd) take
    // for it.
    const std::uint64_t half = range.count == kAllIds ? kAllIds / 2 : range.count;
    add(range.inside, half);
    add(range.inside + half, range.count - half);
  }
  return lines;
}

std::vector<IdRange> parse_sub_ids(std::string_view text, std::string_view user_name, unsigned uid) {
  std::vector<IdRange> ranges;
  for (const std::string& line : split(text, '\n')) {
    const std::vector<std::string> fields = split(line, ':');
    if (fields.size() != 3) continue;
    const bool is_ours = (!user_name.empty() && fields[0] == user_name) || fields[0] == std::to_string(uid);
    const auto start = parse_unsigned(trim(fields[1])), count = parse_unsigned(trim(fields[2]));
    if (!is_ours || !start || !count || *count == 0 || *start > kAllIds || *count > kAllIds - *start)
      continue;
    ranges.push_back({.inside = 0, .outside = *start, .count = *count});
  }
  if (ranges.size() > kMaxRanges - 1) ranges.resize(kMaxRanges - 1);
  return ranges;
}

IdMap map_with_sub_ids(unsigned own_id, const std::vector<IdRange>& subordinate) {
  IdMap map{{.inside = 0, .outside = own_id, .count = 1}};
  std::uint64_t next = 1;
  for (const IdRange& range : subordinate) {
    map.push_back({.inside = next, .outside = range.outside, .count = range.count});
    next += range.count;
  }
  return map;
}

}  // namespace slipway
