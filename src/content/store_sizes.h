#pragma once
// Sizes as they were measured, recorded so that whether the store has grown too large can be told without
// measuring it. What a process adds or changes it measures once it is done; who does not, or is killed,
// leaves the sizes incomplete, and the next collection of garbage measures everything. Private to this
// module.
#include <filesystem>
#include <set>
#include <stop_token>

#include "content/database.h"
#include "content/disk_usage.h"
#include "content/store_records.h"

namespace slipway {

class Store;

/// What no record stands for: the database, the history of builds, locks, directories themselves; without
/// what processes have in the making.
std::uint64_t size_of_rest(const std::filesystem::path& root, DiskUsage& disk);

/// Measures what this process added or changed. Nothing if the sizes are not complete anyway. Throws as
/// DiskUsage and Database.
void record_own_sizes(Store& store, const std::stop_token& stop);

/// Of all records; `before` are those that had one before they were measured: others may have added more
/// meanwhile, also anew. A full disk is no error, the sizes are too large then.
void record_all_sizes(Store& store, const std::set<Database::Lease>& before, const StoreUsage& usage);

}  // namespace slipway
