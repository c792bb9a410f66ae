// When what a build finishes is saved beside it.
#include "build/background_saves.h"

#include <gmock/gmock.h>

#include <atomic>
#include <latch>
#include <thread>

#include "base/error.h"
#include "base/synchronized.h"

namespace slipway {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

class BackgroundSavesTest : public testing::Test {
 protected:
  static FinishedStep step(const std::string& name) {
    return {.description = name, .key = Digest::of(name), .content = {}, .tree = {}, .snapshot = {}, .remote = {}};
  }
  /// Notes what is asked of it, after `on_send`.
  BackgroundSaves::Target target(std::chrono::milliseconds pause,
                                 std::function<void(const std::stop_token&)> on_send = {}) {
    return {.pause = pause,
            .send =
                [this, on_send](const FinishedStep& sent, std::stop_token stop) {
                  sent_.lock()->push_back(sent.description);
                  if (on_send) on_send(stop);
                },
            .write =
                [this](const std::vector<FinishedStep>& steps, std::stop_token) {
                  std::string names;
                  for (const FinishedStep& written : steps) names += written.description;
                  written_.lock()->push_back(names);
                }};
  }
  std::vector<std::string> sent() { return *sent_.lock(); }
  std::vector<std::string> written() { return *written_.lock(); }

 private:
  Synchronized<std::vector<std::string>> sent_, written_;
};

TEST_F(BackgroundSavesTest, LayersAreSentAtOnceAndTheDocumentIsNotWrittenBeforeItsTime) {
  std::latch both(2);
  BackgroundSaves saves({target(1h, [&](const std::stop_token&) { both.count_down(); })});
  saves.add(step("a"));
  saves.add(step("b"));
  both.wait();
  saves.end({});
  EXPECT_THAT(sent(), ElementsAre("a", "b"));
  EXPECT_THAT(written(), IsEmpty()) << "the end writes it";
}

TEST_F(BackgroundSavesTest, DocumentHasEachStepOnceItsLayersAreThere) {
  std::latch done(2);
  BackgroundSaves::Target at_once = target(0ms);
  at_once.write = [&, write = at_once.write](const std::vector<FinishedStep>& steps, std::stop_token stop) {
    write(steps, stop);
    for (std::size_t i = 0; i < steps.size(); ++i) done.count_down();
  };
  BackgroundSaves saves({at_once});
  saves.add(step("a"));
  saves.add(step("b"));
  done.wait();
  saves.end({});
  std::string all;
  for (const std::string& names : written()) all += names;
  EXPECT_EQ(all, "ab");
}

TEST_F(BackgroundSavesTest, TargetThatFailsIsLeftAloneAndOthersAreNot) {
  std::latch both(2);
  const auto fails = [](const std::stop_token&) { throw TransportError("no", false); };
  BackgroundSaves saves({target(1h, fails), target(1h, [&](const std::stop_token&) { both.count_down(); })});
  saves.add(step("a"));
  saves.add(step("b"));
  both.wait();
  saves.end({});
  EXPECT_THAT(sent(), testing::SizeIs(3)) << "one of the first target, two of the second";
}

TEST_F(BackgroundSavesTest, EndWaitsForTheLayerUnderWay) {
  std::latch began(1), go_on(1);
  std::atomic<bool> ended = false;
  BackgroundSaves saves({target(0ms, [&](const std::stop_token& stop) {
    began.count_down();
    go_on.wait();
    EXPECT_FALSE(stop.stop_requested());
    ended = true;
  })});
  saves.add(step("a"));
  began.wait();
  std::jthread opener([&] { go_on.count_down(); });
  saves.end({});
  EXPECT_TRUE(ended);
  saves.add(step("b"));
  EXPECT_THAT(sent(), ElementsAre("a")) << "nothing begins after the end";
}

TEST_F(BackgroundSavesTest, StopBreaksOffTheLayerUnderWay) {
  std::latch began(1);
  std::stop_source stop;
  BackgroundSaves saves({target(0ms, [&](const std::stop_token& stopping) {
    began.count_down();
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any never;
    never.wait(lock, stopping, [] { return false; });
    throw Cancelled{};
  })});
  saves.add(step("a"));
  began.wait();
  stop.request_stop();
  saves.end(stop.get_token());
  EXPECT_THAT(written(), IsEmpty());
}

TEST_F(BackgroundSavesTest, NothingToSaveStartsNoThread) {
  BackgroundSaves none({});
  none.add(step("a"));
  BackgroundSaves unused({target(0ms)});
  unused.end({});
  EXPECT_THAT(sent(), IsEmpty());
}

}  // namespace
}  // namespace slipway
