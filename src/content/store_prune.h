#pragma once
// Pruning: what the plan (gc_plan.h) says, done to a store that others use at the same time. What a running
// build holds or makes is never touched, nor an image in the store. Killed at any instant, the store is
// sound: rows go before bytes, directories go aside into this process's own before they are removed.
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "content/gc_plan.h"
#include "content/store_records.h"

namespace slipway {

struct PruneRequest {
  /// Percent of the file system are turned into bytes by the caller; free_space and now are filled in here.
  GcLimits limits;
  bool all = false;  ///< also emulators, and snapshots whose layers an image has
  bool dry_run = false;
  std::function<bool(const StoreUsage&, const StoreRecord&)> matches;  ///< empty: all
};

struct KeptRecord {
  StoreRecord record;
  KeepReason reason = KeepReason::WithinLimits;
  std::string why;  ///< for people
};

struct PruneResult {
  std::vector<StoreRecord> removed;  ///< in their order; those that would be, of a dry run
  std::vector<KeptRecord> kept;
  std::uint64_t before = 0, after = 0;  ///< of the whole store
  std::optional<std::uint64_t> cap;     ///< above which `after` is only because nothing more may go
  std::uint64_t matched_after = 0;      ///< of what the filters match
};

/// Measures, plans, removes, and does so again until nothing is left to remove: builds go on meanwhile, and
/// files can have names in several records. Records what it measured last. Throws HostError if an older
/// slipway, which takes no leases, uses the store; Cancelled between two removals; otherwise as
/// measure_store.
PruneResult prune_store(Store& store, const PruneRequest& request, std::stop_token stop);

/// Why each record is there, as a pruning without limits sees it: empty for what would go.
std::vector<std::string> why_kept(const StoreUsage& usage);

}  // namespace slipway
