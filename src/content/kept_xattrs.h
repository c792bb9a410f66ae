#pragma once
// The extended attributes that travel with files: file capabilities and the user's own. Not overlayfs's
// bookkeeping (a layer that could set that could redirect a directory), and not what belongs to one host
// (SELinux labels, ACLs).
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace slipway {

bool is_kept_xattr(std::string_view name);
/// Those that the next step sees: ACLs too.
bool is_step_xattr(std::string_view name);

using Xattrs = std::vector<std::pair<std::string, std::string>>;

/// Those of a regular file or directory that `accept` takes, sorted by name; empty where the file system has
/// none. Throws SystemError.
Xattrs read_xattrs(int fd, std::string_view shown, bool (*accept)(std::string_view name));
Xattrs read_kept_xattrs(int fd, std::string_view shown);

/// 0, or the errno of the first attribute that could not be set.
int write_xattrs(int fd, const Xattrs& xattrs) noexcept;

}  // namespace slipway
