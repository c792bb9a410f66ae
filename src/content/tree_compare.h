#pragma once
// Whether two steps wrote the same.
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

namespace slipway {

/// A step's tree and where its changes alone are (ActiveSnapshot::root() and upper()).
struct ChangedTree {
  std::filesystem::path root, changes;
};

/// The paths at which the two differ, with what differs: "/etc/motd (content)", sorted, at most `most`.
/// Compared is whatever either changed: kind, mode, owner, size, content, target of links, device number,
/// which names are one file, extended attributes; not times. Throws SystemError, Cancelled.
std::vector<std::string> tree_differences(const ChangedTree& one, const ChangedTree& other, std::size_t most,
                                          const std::stop_token& stop);

}  // namespace slipway
