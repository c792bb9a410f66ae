#include "content/gc_plan.h"

#include <algorithm>

#include "base/check.h"

namespace slipway {
namespace {

using Indices = std::vector<std::size_t>;

std::vector<Indices> dependents_of(const std::vector<GcRecord>& records) {
  std::vector<Indices> dependents(records.size());
  for (std::size_t i = 0; i < records.size(); ++i)
    for (const std::size_t needed : records[i].needs) dependents.at(needed).push_back(i);
  return dependents;
}

/// Every record after those that need it.
Indices dependents_first(const std::vector<GcRecord>& records, const std::vector<Indices>& dependents) {
  Indices order;
  std::vector<std::size_t> left(records.size());
  for (std::size_t i = 0; i < records.size(); ++i) {
    left[i] = dependents[i].size();
    if (left[i] == 0) order.push_back(i);
  }
  for (std::size_t at = 0; at < order.size(); ++at)
    for (const std::size_t needed : records[order[at]].needs)
      if (--left[needed] == 0) order.push_back(needed);
  SLIPWAY_CHECK(order.size() == records.size(), "records do not need each other in a circle");
  return order;
}

/// The same order by use. Stable: of records used at the same time, those in need still come first.
Indices least_recently_used_first(const std::vector<GcRecord>& records, Indices order) {
  std::vector<std::int64_t> used(records.size());
  for (std::size_t i = 0; i < records.size(); ++i) used[i] = records[i].last_used;
  for (const std::size_t i : order)
    for (const std::size_t needed : records[i].needs) used[needed] = std::max(used[needed], used[i]);
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return used[i]; });
  return order;
}

/// What the total has to come down to; nothing if no cap is given or none is passed.
std::optional<std::uint64_t> cap_of(const GcLimits& limits, std::uint64_t total) {
  std::optional<std::uint64_t> cap = limits.max_used;
  if (limits.min_free) {
    const std::uint64_t missing =
        *limits.min_free > limits.free_space ? *limits.min_free - limits.free_space : 0;
    cap = std::min(cap.value_or(total), total - std::min(total, missing));
  }
  if (cap && limits.reserved) cap = std::max(*cap, *limits.reserved);
  return cap;
}

}  // namespace

std::optional<std::uint64_t> gc_target(const GcLimits& limits, std::uint64_t total) {
  const std::optional<std::uint64_t> cap = cap_of(limits, total);
  return cap ? cap : limits.reserved;
}

GcPlan plan_gc(const std::vector<GcRecord>& records, const GcLimits& limits) {
  GcPlan plan;
  plan.kept.resize(records.size());
  for (const GcRecord& record : records) {
    plan.total += record.size;
    if (record.fixed != KeepReason::NotMatched && record.fixed != KeepReason::Store)
      plan.matched_after += record.size;
  }
  plan.after = plan.total;
  plan.cap = cap_of(limits, plan.total);
  const std::optional<std::uint64_t> target = gc_target(limits, plan.total);
  const bool limited = target || limits.max_matched;
  const auto too_much = [&] {
    return (target && plan.after > *target) ||
           (limits.max_matched && plan.matched_after > *limits.max_matched);
  };
  const auto above_cap = [&] {
    return (plan.cap && plan.after > *plan.cap) ||
           (limits.max_matched && plan.matched_after > *limits.max_matched);
  };

  const std::vector<Indices> dependents = dependents_of(records);
  std::vector<bool> gone(records.size(), false);
  for (const std::size_t i : least_recently_used_first(records, dependents_first(records, dependents))) {
    const GcRecord& record = records[i];
    const auto kept_dependent =
        std::ranges::find_if(dependents[i], [&](std::size_t dependent) { return !gone[dependent]; });
    const bool young = limits.keep_seconds && limits.now - record.last_used < *limits.keep_seconds;
    if (record.fixed) {
      plan.kept[i] = Kept{.why = *record.fixed, .by = {}};
    } else if (kept_dependent != dependents[i].end()) {
      plan.kept[i] = Kept{.why = KeepReason::NeededBy, .by = *kept_dependent};
    } else if (young && (limits.keep_is_firm || !above_cap())) {
      plan.kept[i] = Kept{.why = KeepReason::Young, .by = {}};
    } else if (limited && !too_much()) {
      plan.kept[i] = Kept{.why = KeepReason::WithinLimits, .by = {}};
    } else {
      plan.remove.push_back(i);
      gone[i] = true;
      plan.after -= record.size;
      plan.matched_after -= record.size;
    }
  }
  return plan;
}

}  // namespace slipway
