#include "scheduler/io_pool.h"

#include <atomic>
#include <latch>
#include <memory>
#include <set>
#include <thread>

#include "base/synchronized.h"

namespace slipway {
namespace {

TEST(IoPool, StartsNoThreadBeforeThereIsWork) {
  const IoPool pool({.threads = 4});
  EXPECT_EQ(pool.threads(), 0u);
}

TEST(IoPool, DestructionRunsWhatIsQueued) {
  std::atomic<int> ran = 0;
  {
    IoPool pool({.threads = 2});
    for (int i = 0; i < 500; ++i) pool.submit([&ran] { ++ran; });
  }
  EXPECT_EQ(ran, 500);
}

TEST(IoPool, DestructionRunsWhatTasksStillSubmit) {
  std::atomic<int> ran = 0;
  {
    auto pool = std::make_unique<IoPool>(IoPoolOptions{.threads = 1});
    std::latch closing(1);
    pool->submit([&, inner = pool.get()] {
      closing.wait();
      inner->submit([&ran] { ++ran; });
      ++ran;
    });
    closing.count_down();
    pool.reset();
  }
  EXPECT_EQ(ran, 2);
}

TEST(IoPool, BlockedTasksGetAThreadEach) {
  IoPool pool({.threads = 4});
  std::latch all_inside(4);
  for (int i = 0; i < 4; ++i) pool.submit([&] { all_inside.arrive_and_wait(); });
  all_inside.wait();
  EXPECT_EQ(pool.threads(), 4u);
}

TEST(IoPool, NeverStartsMoreThreadsThanTheLimit) {
  Synchronized<std::set<std::thread::id>> seen;
  {
    IoPool pool({.threads = 3});
    for (int i = 0; i < 200; ++i) pool.submit([&] { seen.lock()->insert(std::this_thread::get_id()); });
    EXPECT_LE(pool.threads(), 3u);
  }
  EXPECT_LE(seen.lock()->size(), 3u);
}

TEST(IoPool, FullQueueMakesTheSubmitterWait) {
  std::latch release(1);
  std::atomic<int> submitted = 0;
  std::atomic<int> ran = 0;
  IoPool pool({.threads = 1, .queue = 1});
  std::latch busy(1);
  pool.submit([&] { busy.count_down(); release.wait(); });
  busy.wait();
  pool.submit([&] { ++ran; });   // fills the queue
  std::jthread submitter([&] {
    pool.submit([&] { EXPECT_EQ(ran, 1); ++ran; });
    ++submitted;
  });
  EXPECT_EQ(submitted, 0);   // nobody can have taken from the queue yet
  release.count_down();
  submitter.join();
  EXPECT_EQ(submitted, 1);
}

TEST(IoPool, WhatATaskHoldsIsDestroyedWithIt) {
  const auto held = std::make_shared<int>(1);
  {
    IoPool pool({.threads = 1});
    pool.submit([copy = held] { EXPECT_EQ(*copy, 1); });
  }
  EXPECT_EQ(held.use_count(), 1);
}

TEST(IoPool, SizesOfZeroCountAsOne) {
  std::atomic<int> ran = 0;
  {
    IoPool pool({.threads = 0, .queue = 0});
    for (int i = 0; i < 3; ++i) pool.submit([&ran] { ++ran; });
  }
  EXPECT_EQ(ran, 3);
}

}  // namespace
}  // namespace slipway
