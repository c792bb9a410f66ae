#pragma once
// What a tree looks like without its bytes: names, types, permissions, targets of links, files' sizes and
// times, overlayfs's marks of opaque directories, as one digest. Made when a snapshot is, it tells later
// whether files went missing or were written to. Private to this module.
#include <filesystem>
#include <string>

namespace slipway {

/// Leaves out owners (a rootless store is seen through one map or another), times below a second and of other
/// things than files (copies of a store lose those), what is deeper than 64 directories, and what is in
/// directories that this user may not read. Throws
/// SystemError.
std::string outline_of_tree(const std::filesystem::path& tree);

}  // namespace slipway
