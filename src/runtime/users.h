#pragma once
// USER, --chown: names looked up in a root file system's own passwd and group files.
#include <string_view>
#include <vector>

#include "base/rooted.h"

namespace slipway {

struct ResolvedUser {
  unsigned uid = 0, gid = 0;
  std::vector<unsigned> groups;  ///< supplementary
  std::string home = "/";
};

/// "name", "uid", "name:group", "uid:gid"; empty is root. Throws InvalidInput for a name that is not there.
ResolvedUser resolve_user(const RootedDir& root, std::string_view user);
/// For --chown: user and group separately, group empty = the user's primary group if user is a name, else the
/// same number.
ResolvedUser resolve_owner(const RootedDir& root, std::string_view user, std::string_view group);

}  // namespace slipway
