#include "content/gc_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace slipway {
namespace {

GcRecord used_at(std::int64_t last_used, std::uint64_t size, std::vector<std::size_t> needs = {}) {
  return {.size = size, .last_used = last_used, .needs = std::move(needs), .fixed = {}};
}

KeepReason why(const GcPlan& plan, std::size_t record) { return plan.kept.at(record).value().why; }

TEST(GcPlan, WithoutLimitsEverythingThatIsNotFixedGoes) {
  std::vector<GcRecord> records{used_at(1, 10), used_at(2, 10)};
  records[0].fixed = KeepReason::Image;
  const GcPlan plan = plan_gc(records, {});
  EXPECT_EQ(plan.remove, (std::vector<std::size_t>{1}));
  EXPECT_EQ(why(plan, 0), KeepReason::Image);
}

TEST(GcPlan, TheLeastRecentlyUsedGoFirstAndNoMoreThanTheCapAsks) {
  const GcPlan plan = plan_gc({used_at(3, 10), used_at(1, 10), used_at(2, 10)}, {.max_used = 20});
  EXPECT_EQ(plan.remove, (std::vector<std::size_t>{1}));
  EXPECT_EQ(plan.after, 20u);
  EXPECT_EQ(why(plan, 0), KeepReason::WithinLimits);
}

TEST(GcPlan, AParentOfWhatWasUsedLatelyIsNotOld) {
  const GcPlan plan = plan_gc({used_at(1, 10), used_at(9, 10, {0}), used_at(5, 10)}, {.max_used = 20});
  EXPECT_EQ(plan.remove, (std::vector<std::size_t>{2}));
  EXPECT_EQ(why(plan, 0), KeepReason::NeededBy);
  EXPECT_EQ(plan.kept[0]->by, 1u);
}

TEST(GcPlan, TheKeepDurationKeepsOnlyWhileNoCapIsPassed) {
  const std::vector<GcRecord> records{used_at(90, 10), used_at(95, 10), used_at(10, 10)};
  const GcPlan alone = plan_gc(records, {.keep_seconds = 50, .now = 100});
  EXPECT_EQ(alone.remove, (std::vector<std::size_t>{2}));
  EXPECT_EQ(why(alone, 0), KeepReason::Young);
  const GcPlan capped = plan_gc(records, {.max_used = 10, .keep_seconds = 50, .now = 100});
  EXPECT_EQ(capped.remove, (std::vector<std::size_t>{2, 0}));
}

TEST(GcPlan, AFirmKeepDurationOutweighsACap) {
  const GcPlan plan = plan_gc({used_at(90, 10), used_at(10, 10)},
                              {.max_used = 5, .keep_seconds = 50, .keep_is_firm = true, .now = 100});
  EXPECT_EQ(plan.remove, (std::vector<std::size_t>{1}));
  EXPECT_EQ(why(plan, 0), KeepReason::Young);
}

TEST(GcPlan, AMatchedCapCountsOnlyWhatTheFiltersMatch) {
  std::vector<GcRecord> records{used_at(3, 10), used_at(1, 10), used_at(2, 10), used_at(0, 100)};
  records[3].fixed = KeepReason::NotMatched;
  const GcPlan plan = plan_gc(records, {.max_matched = 20});
  EXPECT_EQ(plan.remove, (std::vector<std::size_t>{1}));
  EXPECT_EQ(plan.matched_after, 20u);
  EXPECT_EQ(plan.after, 120u);
}

TEST(GcPlan, TheKeepDurationDoesNotPinWhatIsOldAboveAYoungParent) {
  const GcPlan plan = plan_gc({used_at(90, 10), used_at(10, 10, {0})}, {.keep_seconds = 50, .now = 100});
  EXPECT_EQ(plan.remove, (std::vector<std::size_t>{1}));
}

TEST(GcPlan, FreeSpaceThatIsThereAsksForNothing) {
  const GcPlan plan = plan_gc({used_at(1, 10)}, {.min_free = 5, .free_space = 6});
  EXPECT_TRUE(plan.remove.empty());
}

TEST(GcPlan, MissingFreeSpaceIsMadeUpFor) {
  const GcPlan plan =
      plan_gc({used_at(1, 10), used_at(2, 10), used_at(3, 10)}, {.min_free = 17, .free_space = 6});
  EXPECT_EQ(plan.remove, (std::vector<std::size_t>{0, 1}));
}

TEST(GcPlan, ReservedSpaceOutweighsACap) {
  const std::vector<GcRecord> records{used_at(1, 10), used_at(2, 10), used_at(3, 10)};
  EXPECT_TRUE(plan_gc(records, {.max_used = 10, .reserved = 30}).remove.empty());
  EXPECT_EQ(plan_gc(records, {.reserved = 20}).remove.size(), 1u);
}

std::vector<GcRecord> random_records(std::mt19937& random) {
  const auto below = [&](std::size_t bound) { return random() % bound; };
  std::vector<GcRecord> records(below(40));
  for (std::size_t i = 0; i < records.size(); ++i) {
    records[i].size = below(100);
    records[i].last_used = static_cast<std::int64_t>(below(50));
    for (std::size_t n = below(3); i > 0 && n > 0; --n) records[i].needs.push_back(below(i));
    if (below(8) == 0) records[i].fixed = KeepReason::InUse;
  }
  return records;
}

GcLimits random_limits(std::mt19937& random) {
  const auto below = [&](std::uint64_t bound) { return random() % bound; };
  GcLimits limits{.free_space = below(1000), .now = 50};
  if (below(2)) limits.max_used = below(2500);
  if (below(3) == 0) limits.min_free = below(2000);
  if (below(3) == 0) limits.reserved = below(1500);
  if (below(3) == 0) limits.keep_seconds = static_cast<std::int64_t>(below(50));
  return limits;
}

bool needs_what_goes(const std::vector<GcRecord>& records, const GcPlan& plan, std::size_t i) {
  return std::ranges::any_of(records[i].needs, [&](std::size_t needed) { return !plan.kept[needed]; });
}

TEST(GcPlan, RulesHoldForAnyRecordsAndLimits) {
  for (unsigned seed = 0; seed < 3000; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const std::vector<GcRecord> records = random_records(random);
    const GcLimits limits = random_limits(random);
    const GcPlan plan = plan_gc(records, limits);

    std::uint64_t total = 0, removed = 0;
    for (const GcRecord& record : records) total += record.size;
    std::vector<bool> gone(records.size(), false);
    for (const std::size_t i : plan.remove) {
      ASSERT_FALSE(records[i].fixed) << "fixed records stay";
      ASSERT_FALSE(gone[i]);
      for (std::size_t j = 0; j < records.size(); ++j)
        ASSERT_TRUE(gone[j] || !std::ranges::count(records[j].needs, i)) << j << " needs " << i;
      ASSERT_GT(total - removed + 1, plan.cap ? *plan.cap + 1 : 0) << "nothing goes that no limit asks for";
      ASSERT_GT(total - removed + 1, limits.reserved ? *limits.reserved + 1 : 0);
      gone[i] = true;
      removed += records[i].size;
    }
    EXPECT_EQ(plan.total, total);
    EXPECT_EQ(plan.after, total - removed);
    for (std::size_t i = 0; i < records.size(); ++i) {
      EXPECT_EQ(gone[i], !plan.kept[i].has_value()) << "each record goes or has a reason to stay";
      EXPECT_FALSE(!gone[i] && needs_what_goes(records, plan, i)) << "what a kept record needs stays";
      if (gone[i] || records[i].fixed || !plan.cap || plan.after <= *plan.cap) continue;
      EXPECT_EQ(why(plan, i), KeepReason::NeededBy) << "above the cap, all that can go goes";
    }
  }
}

}  // namespace
}  // namespace slipway
