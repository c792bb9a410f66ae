#include "content/gc.h"

#include <ctime>

#include "base/strings.h"
#include "content/database.h"
#include "content/store_fixture.h"

namespace slipway {
namespace {

using namespace testing_support;
namespace fs = std::filesystem;

constexpr std::size_t kSize = 1 << 20;
constexpr std::uint64_t kSmall = 64 << 10;

GcPolicy capped(std::uint64_t bytes) {
  return {.text = concat("cap ", bytes), .request = {.limits = {.max_used = bytes}, .all = true}};
}

class Gc : public StoreTest {
 protected:
  /// One more snapshot and one more blob, then what ends a build if there are policies.
  GcResult build(const std::string& name, const std::vector<GcPolicy>& policies, std::size_t size = kSize) {
    const auto store = open();
    ActiveSnapshot active = store->snapshots().prepare({});
    write_text(active.root() / name, std::string(size, 'x'));
    store->results().put(Digest::of(name), store->snapshots().commit(std::move(active), 1000));
    store->blobs().put(std::string(size, name.at(0)));
    return policies.empty() ? GcResult() : collect_garbage(*store, policies, {});
  }
  std::uint64_t taken() { return measure_store(*open(), {}).total; }
  Database::SizeState sizes() { return open()->database().size_state(); }
};

TEST_F(Gc, ACapHoldsAfterEachOfManyBuilds) {
  const std::vector<GcPolicy> policies{capped(7 * kSize)};
  bool removed = false;
  for (int i = 0; i < 12; ++i) {
    removed = build(concat("build ", i), policies).removed > 0 || removed;
    EXPECT_LE(taken(), 7 * kSize + kSmall) << "after build " << i;
  }
  EXPECT_TRUE(removed);
  EXPECT_TRUE(open()->results().find(Digest::of("build 11"))) << "the latest is kept as long as it fits";
}

TEST_F(Gc, ABuildWithoutPoliciesIsCountedByTheNextOneWithSome) {
  build("a", {capped(100 * kSize)});
  for (const char* name : {"b", "c", "d"}) build(name, {});
  EXPECT_FALSE(sizes().complete);
  build("e", {capped(4 * kSize)});
  EXPECT_LE(taken(), 4 * kSize + kSmall);
}

TEST_F(Gc, RecordedSizesAreThoseThatAreMeasured) {
  build("a", {capped(100 * kSize)});
  build("b", {capped(100 * kSize)});
  const Database::SizeState state = sizes();
  EXPECT_TRUE(state.complete);
  const auto store = open();
  std::uint64_t measured = 0;
  for (const StoreRecord& record : measure_store(*store, {}).records) measured += record.size;
  EXPECT_EQ(state.total, measured);
}

TEST_F(Gc, WhatAKilledBuildLeftIsCounted) {
  build("a", {capped(4 * kSize)});
  OtherProcess killed([this] {
    auto store = open();
    store->blobs().put(std::string(6 * kSize, 'k'));
    return store;
  });
  ASSERT_TRUE(killed.wait_ready());
  killed.kill_now();
  build("b", {capped(4 * kSize)});
  EXPECT_LE(taken(), 4 * kSize + kSmall);
}

TEST_F(Gc, ACacheMountThatGrewIsCounted) {
  build("a", {capped(4 * kSize)});
  {
    const auto store = open();
    {
      write_text(store->cache_mounts().acquire({.name = "c", .fill = {}, .on_wait = {}}, {}).path() / "f",
                 std::string(6 * kSize, 'c'));
    }
    store->blobs().put("so that something is leased");
    collect_garbage(*store, {capped(4 * kSize)}, {});
  }
  EXPECT_LE(taken(), 4 * kSize + kSmall);
}

TEST_F(Gc, WhatIsOldGoesWhenItsTimeHasCome) {
  const GcPolicy policy{.text = "old", .request = {.limits = {.keep_seconds = 3600}}};
  build("a", {policy});
  run_sql("UPDATE snapshot_uses SET used = 1000; UPDATE snapshots SET created = 1000");
  EXPECT_EQ(build("b", {policy}).removed, 0u) << "nothing was due yet";
  run_sql("UPDATE gc_marks SET at = 1000");
  EXPECT_EQ(build("c", {policy}).removed, 1u);
}

TEST_F(Gc, AChangedPolicyIsLookedAtAtOnce) {
  build("a", {capped(100 * kSize)});
  EXPECT_GT(build("b", {capped(3 * kSize)}).removed, 0u);
}

TEST_F(Gc, ACapThatCannotBeMetIsNotMeasuredAgainForNothing) {
  const std::vector<GcPolicy> policies{
      {.text = "none match",
       .request = {.limits = {.max_used = kSize},
                   .matches = [](const auto&, const auto&) { return false; }}}};
  build("a", policies);
  const auto before = open()->database().gc_mark("none match");
  ASSERT_TRUE(before && before->stuck);
  build("b", policies, 1);
  EXPECT_EQ(open()->database().gc_mark("none match")->above, before->above) << "not looked at again";
  build("c", policies, 3 * kSize);
  EXPECT_GT(open()->database().gc_mark("none match")->above, before->above);
}

TEST_F(Gc, WhatAnotherProcessUsesStaysAndGoesAtTheEndOfThatOne) {
  build("a", {});
  OtherProcess user([this] {
    auto store = open();
    if (!store->results().find(Digest::of("a"))) throw NotFound("what was made");
    return store;
  });
  ASSERT_TRUE(user.wait_ready());
  build("b", {capped(1)});
  EXPECT_TRUE(open()->results().find(Digest::of("a")));
  EXPECT_EQ(user.end(), 0);
  collect_garbage(*open(), {capped(1)}, {});
  EXPECT_FALSE(open()->results().find(Digest::of("a")));
}

}  // namespace
}  // namespace slipway
