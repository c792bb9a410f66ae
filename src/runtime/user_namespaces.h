#pragma once
// How a process gets its ids in a new user namespace, and why a kernel refuses to make one.
#include <sys/types.h>

#include <filesystem>
#include <vector>

#include "base/error.h"

namespace slipway {

/// The ways to fill the id maps of a child, best first; each leaves one id or many.
enum class IdMapping {
  Identity,     ///< we may write any map: every id we have, under its own number
  Subordinate,  ///< newuidmap and newgidmap with the ranges of /etc/subuid and /etc/subgid
  Single,       ///< root inside is the caller outside, nobody else exists
};

/// Those that can be expected to work for this process.
std::vector<IdMapping> possible_mappings();

/// Writes the maps of `child`, which is in a new user namespace that we made. Returns false, with the child
/// unusable, if this way is not to be had.
bool apply_mapping(IdMapping mapping, pid_t child);

/// Says which setting refuses user namespaces, as far as it can be read below `sysctl` (/proc/sys).
HostError user_namespace_error(int error_number, const std::filesystem::path& sysctl);

}  // namespace slipway
