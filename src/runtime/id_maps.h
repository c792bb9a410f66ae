#pragma once
// User and group id maps of user namespaces (user_namespaces(7)), read and written as text.
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace slipway {

/// `count` ids from `inside` on, which are `outside`, … in the parent namespace.
struct IdRange {
  std::uint64_t inside = 0, outside = 0, count = 0;
  bool operator==(const IdRange&) const = default;
};
using IdMap = std::vector<IdRange>;

/// The text of /proc/PID/uid_map.
IdMap parse_id_map(std::string_view text);
IdMap read_own_uid_map();
IdMap read_own_gid_map();

bool is_mapped(const IdMap& map, std::uint64_t inside);
/// How many ids there are, at most 2^32 - 1.
std::uint64_t id_count(const IdMap& map);
/// False in the machine's first user namespace and in ones that map each id to itself.
bool is_user_namespace(const IdMap& map);

/// Lines for uid_map that give a child namespace the same ids under the same numbers as this one has. They
/// can be told from the map of the machine's first namespace.
std::string identity_lines(const IdMap& map);

/// The ranges of /etc/subuid or /etc/subgid that belong to the user, found by name or number; junk is passed
/// over.
std::vector<IdRange> parse_sub_ids(std::string_view text, std::string_view user_name, unsigned uid);
/// 0 is the user itself, 1 and up are its subordinate ids.
IdMap map_with_sub_ids(unsigned own_id, const std::vector<IdRange>& subordinate);

}  // namespace slipway
