#include "content/step_locks.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/error.h"
#include "content/store_fixture.h"

namespace slipway {
namespace {

using testing_support::OtherProcess;

class StepLocksTest : public testing_support::StoreTest {
 protected:
  std::filesystem::path locks() const { return root() / "locks"; }
  const Digest key_ = Digest::of("step");
};

TEST_F(StepLocksTest, OneOwnerAtATimeAlsoInOneProcess) {
  const auto store = open();
  auto lock = store->step_locks().try_acquire(key_);
  EXPECT_TRUE(lock);
  EXPECT_FALSE(store->step_locks().try_acquire(key_));
  EXPECT_TRUE(store->step_locks().try_acquire(Digest::of("another step")));
  lock.reset();
  EXPECT_TRUE(store->step_locks().try_acquire(key_));
}

TEST_F(StepLocksTest, NothingRemainsOfALock) {
  const auto store = open();
  store->step_locks().try_acquire(key_);
  EXPECT_TRUE(std::filesystem::is_empty(locks()));
}

TEST_F(StepLocksTest, WaitReturnsAtOnceIfNobodyHasIt) {
  const auto store = open();
  store->step_locks().wait(key_, {});
}

TEST_F(StepLocksTest, WaitEndsWithTheOwner) {
  const auto store = open();
  auto lock = store->step_locks().try_acquire(key_);
  std::jthread waiter([&] { store->step_locks().wait(key_, {}); });
  lock.reset();
}

TEST_F(StepLocksTest, WaitEndsWithTheStop) {
  const auto store = open();
  const auto lock = store->step_locks().try_acquire(key_);
  std::stop_source stop;
  std::jthread waiter([&] { EXPECT_THROW(store->step_locks().wait(key_, stop.get_token()), Cancelled); });
  stop.request_stop();
}

TEST_F(StepLocksTest, LockOfAKilledProcessIsFreeAndSwept) {
  open();
  OtherProcess other([&] {
    auto store = open();
    static auto lock = store->step_locks().try_acquire(key_);  // as long as the process
    EXPECT_TRUE(lock);
    return store;
  });
  ASSERT_TRUE(other.wait_ready());
  EXPECT_FALSE(open()->step_locks().try_acquire(key_));
  other.kill_now();
  EXPECT_FALSE(std::filesystem::is_empty(locks()));
  const auto store = open();
  EXPECT_TRUE(std::filesystem::is_empty(locks()));
  EXPECT_TRUE(store->step_locks().try_acquire(key_));
}

TEST_F(StepLocksTest, ManyThreadsNeverMeetInsideOne) {
  const auto store = open();
  std::atomic<int> inside = 0, turns = 0, met = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&] {
        while (turns < 300) {
          const auto lock = store->step_locks().try_acquire(key_);
          if (!lock) continue;
          if (++inside != 1) ++met;
          ++turns;
          --inside;
        }
      });
  }
  EXPECT_EQ(met, 0);
}

class OriginsTest : public testing_support::StoreTest {};

TEST_F(OriginsTest, FirstKeyStays) {
  const auto store = open();
  ActiveSnapshot active = store->snapshots().prepare_unmounted({});
  const SnapshotId id = store->snapshots().commit(std::move(active), 1);
  EXPECT_EQ(store->results().origin(id), std::nullopt);
  store->results().put(Digest::of("definition"), Digest::of("content"), id);
  store->results().put(Digest::of("other"), id);
  EXPECT_EQ(store->results().origin(id), Digest::of("content"));
  for (const char* key : {"definition", "content", "other"})
    EXPECT_EQ(store->results().find(Digest::of(key)), id) << key;
}

TEST_F(OriginsTest, WhatIsSaidOfAResultIsSaidOfNoOtherOfItsKey) {
  const auto store = open();
  const SnapshotId one = store->snapshots().commit(store->snapshots().prepare_unmounted({}), 1);
  const SnapshotId two = store->snapshots().commit(store->snapshots().prepare_unmounted({}), 1);
  const Digest key = Digest::of("definition"), content = Digest::of("content");
  store->results().put(key, content, one, {.emulation = "linux/arm64=twins"});
  EXPECT_EQ(store->results().emulation_of(key, one), "linux/arm64=twins");
  EXPECT_EQ(store->results().emulation_of(content, one), "linux/arm64=twins");
  store->results().put(key, two);
  EXPECT_EQ(store->results().emulation_of(key, two), "");
  store->results().put(key, two, {.emulation = "linux/arm64=both"});
  store->results().put(key, two);
  EXPECT_EQ(store->results().emulation_of(key, two), "linux/arm64=both");
}

TEST_F(OriginsTest, WhatHasNoneGetsANameOfItsOwnThatStays) {
  const auto store = open();
  const SnapshotId one = store->snapshots().commit(store->snapshots().prepare_unmounted({}), 1);
  const SnapshotId two = store->snapshots().commit(store->snapshots().prepare_unmounted({}), 1);
  const Digest name = store->results().name_of(one);
  EXPECT_NE(store->results().name_of(two), name)
      << "no store gives a name twice, however its snapshots are numbered";
  EXPECT_EQ(store->results().name_of(one), name);
  EXPECT_EQ(store->results().origin(one), name);
}

TEST_F(OriginsTest, TreeDigestsGoWithTheirSnapshot) {
  const auto store = open();
  const SnapshotId id = store->snapshots().commit(store->snapshots().prepare_unmounted({}), 1);
  const Digest part = Digest::of("/bin");
  EXPECT_EQ(store->results().tree_digest(id, part), std::nullopt);
  store->results().remember_tree_digest(id, part, Digest::of("files"));
  EXPECT_EQ(store->results().tree_digest(id, part), Digest::of("files"));
  store->snapshots().remove(id);
  EXPECT_EQ(store->results().tree_digest(id, part), std::nullopt);
}

}  // namespace
}  // namespace slipway
