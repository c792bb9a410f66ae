#pragma once
// The /dev of a step for which nothing is mounted: a directory.
#include <filesystem>
#include <span>

namespace slipway {

/// The names of the nodes that programs need: null, zero and so on.
std::span<const char* const> step_device_names();

/// Makes these nodes in an empty directory. Throws HostError, with what to do instead, where they cannot be
/// made or would not work.
void make_device_nodes(const std::filesystem::path& directory);

/// What else belongs there: shm, and the links into /proc/self/fd.
void add_device_links(const std::filesystem::path& directory);

/// The same where the step has no /proc: stdout and stderr are named pipes, for the step's output.
void add_output_pipes(const std::filesystem::path& directory);

}  // namespace slipway
