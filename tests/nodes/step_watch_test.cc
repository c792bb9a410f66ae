#include "nodes/step_watch.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

namespace slipway {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

void wait_for_stop(const std::stop_token& token) {
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable_any().wait(lock, token, [] { return false; });
}

TEST(StepWatch, TimeThatIsUpStopsTheStepAndSaysWhich) {
  StepWatch watch({.whole = milliseconds(20), .silent = hours(1)}, {});
  wait_for_stop(watch.token());
  EXPECT_EQ(watch.expired(), "it ran for longer than 20ms (--step-timeout)");
}

TEST(StepWatch, SilenceStopsIt) {
  StepWatch watch({.whole = hours(1), .silent = milliseconds(20)}, {});
  wait_for_stop(watch.token());
  EXPECT_EQ(watch.expired(), "it wrote nothing for 20ms (--idle-timeout)");
}

TEST(StepWatch, OutputPutsTheEndOfSilenceOff) {
  const auto began = std::chrono::steady_clock::now();
  auto last = began;
  StepWatch watch({.whole = {}, .silent = milliseconds(100)}, {});
  while (last < began + milliseconds(150) && !watch.token().stop_requested()) {
    last = std::chrono::steady_clock::now();
    watch.heard();
  }
  wait_for_stop(watch.token());
  EXPECT_GE(std::chrono::steady_clock::now() - last, milliseconds(100));
}

TEST(StepWatch, TheCallersStopIsNoTimeout) {
  std::stop_source caller;
  StepWatch watch({.whole = hours(1), .silent = hours(1)}, caller.get_token());
  EXPECT_FALSE(watch.token().stop_requested());
  caller.request_stop();
  EXPECT_TRUE(watch.token().stop_requested());
  EXPECT_FALSE(watch.expired());
}

TEST(StepWatch, EndsAtOnceWhenTheStepHasEnded) { StepWatch({.whole = hours(1), .silent = hours(1)}, {}); }

}  // namespace
}  // namespace slipway
