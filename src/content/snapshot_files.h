#pragma once
// What is in ROOT/snapshots beside what the rows say. Private to this module.
#include <filesystem>
#include <string>
#include <vector>

#include "content/ids.h"

namespace slipway {

class Database;

/// Names this run of the kernel (/proc/sys/kernel/random/boot_id).
const std::string& boot_id();

/// Snapshots' directories in `directory` that no row stands for. Only right while no process can commit
/// (Database::with_snapshots_held); `known` is sorted.
std::vector<std::filesystem::path> snapshot_leftovers(const std::filesystem::path& directory,
                                                      const std::vector<SnapshotId>& known);

/// Removes those, by way of `temp`.
void clear_snapshot_leftovers(const std::filesystem::path& directory, const std::filesystem::path& temp,
                              Database& database);

/// Moves a snapshot's directory, or what is in its place, out of the way into `temp`, if it is there, and
/// says what to remove then.
std::filesystem::path move_aside(const std::filesystem::path& directory, const std::filesystem::path& temp);

}  // namespace slipway
