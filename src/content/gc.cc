#include "content/gc.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <limits>

#include "base/error.h"
#include "content/database.h"
#include "content/disk_usage.h"
#include "content/store.h"
#include "content/store_sizes.h"

namespace slipway {
namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kSoon = 60;  // seconds, in which a build that holds something may end

std::uint64_t free_space_of(const Store& store) {
  struct statvfs status {};
  if (::statvfs(store.root().c_str(), &status) != 0)
    throw SystemError(errno, "statvfs", store.root().native());
  return static_cast<std::uint64_t>(status.f_bavail) * static_cast<std::uint64_t>(status.f_frsize);
}

bool is_exceeded(const GcLimits& limits, std::uint64_t total) {
  if (limits.max_matched) return true;  // what the filters match is not recorded; its mark says enough
  if (const auto target = gc_target(limits, total)) return total > *target;
  return !limits.max_used && !limits.min_free && !limits.keep_seconds;  // without limits everything goes
}

/// So that a cap that cannot be met does not ask for a measurement after each build.
std::uint64_t room_above(std::uint64_t total) {
  constexpr std::uint64_t kLeast = 1 << 20, kPart = 100;
  return std::max(kLeast, total / kPart);
}

Database::GcMark mark_of(const GcPolicy& policy, const PruneResult& result, std::int64_t now) {
  const GcLimits& limits = policy.request.limits;
  Database::GcMark mark{.above = 0, .at = limits.keep_seconds ? now + *limits.keep_seconds : kNever};
  const bool unmet = (result.cap && result.after > *result.cap) ||
                     (limits.max_matched && result.matched_after > *limits.max_matched);
  bool in_use = false;
  for (const KeptRecord& kept : result.kept) {
    in_use = in_use || kept.reason == KeepReason::InUse;
    if (kept.reason == KeepReason::Young)
      mark.at = std::min(mark.at, kept.record.last_used + *limits.keep_seconds);
  }
  if (in_use && (unmet || limits.keep_seconds)) {
    mark.at = std::min(mark.at, now + kSoon);
  } else if (unmet) {
    mark.above = result.after + room_above(result.after);
    mark.stuck = true;
  } else if (limits.max_matched) {
    mark.above = result.after + (*limits.max_matched - result.matched_after);
  }
  return mark;
}

}  // namespace

GcResult collect_garbage(Store& store, const std::vector<GcPolicy>& policies, std::stop_token stop) {
  Database& database = store.database();
  record_own_sizes(store, stop);
  database.release_leases();
  Database::SizeState sizes = database.size_state();
  DiskUsage disk(stop);
  sizes.total += size_of_rest(store.root(), disk);
  const std::int64_t now = std::time(nullptr);
  GcResult all;
  for (const GcPolicy& policy : policies) {
    GcLimits limits = policy.request.limits;
    if (limits.min_free) limits.free_space = free_space_of(store);
    const auto mark = database.gc_mark(policy.text);
    const bool due = !sizes.complete || !mark || now >= mark->at ||
                     (sizes.total > mark->above && is_exceeded(limits, sizes.total));
    if (!due) continue;
    const PruneResult result = prune_store(store, policy.request, stop);
    database.put_gc_mark(policy.text, mark_of(policy, result, now));
    sizes = {.total = result.after, .complete = true};
    all.removed += result.removed.size();
    for (const StoreRecord& record : result.removed) all.freed += record.size;
  }
  return all;
}

}  // namespace slipway
