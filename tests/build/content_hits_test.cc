// Steps that are known by the content of what they read, and steps that two builds share.
#include <gmock/gmock.h>

#include <atomic>
#include <latch>
#include <thread>

#include "base/strings.h"
#include "build/run_fixture.h"

namespace slipway {
namespace {

using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

class ContentHits : public testing_support::RunTest {
 protected:
  static std::string app(const std::string& make) {
    return concat("FROM scratch AS build\nRUN ", make,
                  "\nFROM scratch\nCOPY --from=build /ran /app\nRUN after\n");
  }
  void makes(const std::string& command, const std::string& text, unsigned mode = 0644) {
    sandbox_.script(command, {.act = [=](const SandboxSpec& spec) {
                      write_file_atomic(spec.rootfs / "ran", text, Durability::None, mode);
                    }});
  }
  /// (step, how) of what was found while the build ran.
  std::map<std::string, std::string> found() {
    std::map<std::string, std::string> names, found;
    for (const StepPlanned& step : progress_.all<StepPlanned>()) names[step.id] = step.name;
    for (const StepFinished& step : progress_.all<StepFinished>())
      if (!step.how.empty()) found[names[step.id]] = step.how;
    return found;
  }
};

TEST_F(ContentHits, WhatFollowsAnEqualFileIsNotRunThoughItsStageIs) {
  makes("make", "same");
  makes("make again", "same");
  const Ended first = build(app("make"));
  progress_.clear();
  const Ended second = build(app("make again"));
  EXPECT_THAT(sandbox_.commands(), ElementsAre("make", "after", "make again"));
  EXPECT_EQ(second.published.at(0).manifest, first.published.at(0).manifest);
  EXPECT_THAT(found(), SizeIs(2));
  EXPECT_THAT(found(), Each(Pair(testing::_, "hit by content")));
  EXPECT_EQ(second.lanes.at(0).mode, "native") << "of what had to run to know";
  progress_.clear();
  EXPECT_EQ(build(app("make again")).steps, 2U) << "now it is known before anything runs";
}

TEST_F(ContentHits, AnotherFileIsCopied) {
  makes("make", "one");
  makes("make again", "two");
  build(app("make"));
  progress_.clear();
  const Ended second = build(app("make again"));
  EXPECT_THAT(sandbox_.commands(), ElementsAre("make", "after", "make again", "after"));
  EXPECT_EQ(files_of(second.published.at(0)).at("app"), "two");
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(ContentHits, AnotherModeIsAnotherFile) {
  makes("make", "same", 0644);
  makes("make again", "same", 0755);
  build(app("make"));
  build(app("make again"));
  EXPECT_THAT(sandbox_.commands(), SizeIs(4));
}

TEST_F(ContentHits, WhatIsNotCopiedOutOfAStageDoesNotMatter) {
  makes("make", "same");
  sandbox_.script("make again", {.act = [](const SandboxSpec& spec) {
                    write_file_atomic(spec.rootfs / "ran", "same");
                    write_file_atomic(spec.rootfs / "log", "something else");
                  }});
  build(app("make"));
  build(app("make again"));
  EXPECT_THAT(sandbox_.commands(), ElementsAre("make", "after", "make again"));
}

TEST_F(ContentHits, StepThatMountsAnEqualFileIsNotRun) {
  const auto mounting = [](const std::string& make) {
    return concat("FROM scratch AS build\nRUN ", make,
                  "\nFROM scratch\nRUN --mount=from=build,source=/ran,target=/in test\n");
  };
  makes("make", "same");
  makes("make again", "same");
  makes("make other", "other");
  build(mounting("make"));
  build(mounting("make again"));
  EXPECT_THAT(sandbox_.commands(), ElementsAre("make", "test", "make again"));
  build(mounting("make other"));
  EXPECT_THAT(sandbox_.commands(), SizeIs(5));
}

TEST_F(ContentHits, NoCacheLooksForNoContentEither) {
  makes("make", "same");
  build(app("make"));
  build(app("make"), {.no_cache = true});
  EXPECT_THAT(sandbox_.commands(), ElementsAre("make", "after", "make", "after"));
}

TEST_F(ContentHits, MissingFileIsToldByTheCopy) {
  const InvalidInput error = failure_of<InvalidInput>(
      "FROM scratch AS build\nRUN make\nFROM scratch\nCOPY --from=build /none /app\n");
  EXPECT_THAT(error.what(), HasSubstr("/none"));
}

class SharedSteps : public testing_support::RunTest {
 protected:
  static constexpr const char* kFile = "FROM scratch\nRUN make\n";

  /// While a build runs "make" calls `meanwhile`, then lets it end once `may_end` does.
  void while_made(const std::function<void()>& meanwhile, std::latch& may_end, bool fail = false) {
    std::latch runs(1);
    sandbox_.script("make", {.act = [&](const SandboxSpec& spec) {
                      write_file_atomic(spec.rootfs / "ran", "make");
                      if (calls_++ > 0) return;
                      runs.count_down();
                      may_end.wait();
                      if (fail) throw BuildFailed("exit code: 1");
                    }});
    std::jthread first([&] {
      try {
        build(kFile);
      } catch (const BuildFailed&) {
      }
    });
    runs.wait();
    meanwhile();
  }
  std::vector<std::string> hows() {
    std::vector<std::string> hows;
    for (const StepFinished& step : progress_.all<StepFinished>())
      if (!step.how.empty()) hows.push_back(step.how);
    return hows;
  }
  std::atomic<int> calls_ = 0;
};

TEST_F(SharedSteps, SecondBuildTakesWhatTheFirstMakes) {
  std::latch waits(1);
  progress_.react = [&](const Event& event) {
    const StepLog* log = std::get_if<StepLog>(&event.what);
    if (log && log->bytes.find("waiting for it") != std::string::npos && !waits.try_wait())
      waits.count_down();
  };
  std::optional<Ended> second;
  while_made([&] { second = build(kFile); }, waits);
  EXPECT_EQ(calls_, 1);
  EXPECT_THAT(hows(), ElementsAre("shared with another build"));
  EXPECT_THAT(files_of(second->published.at(0)), ElementsAre(Pair("ran", "make")));
}

TEST_F(SharedSteps, SecondBuildRunsWhatTheFirstFailedAt) {
  std::latch waits(1);
  progress_.react = [&](const Event& event) {
    const StepLog* log = std::get_if<StepLog>(&event.what);
    if (log && log->bytes.find("waiting for it") != std::string::npos && !waits.try_wait())
      waits.count_down();
  };
  while_made([&] { EXPECT_THAT(build(kFile).published, SizeIs(1)); }, waits, true);
  EXPECT_EQ(calls_, 2);
}

TEST_F(SharedSteps, NoCacheDoesNotWait) {
  std::latch ended(1);
  while_made(
      [&] {
        build(kFile, {.no_cache = true});
        ended.count_down();
      },
      ended);
  EXPECT_EQ(calls_, 2);
  EXPECT_THAT(hows(), IsEmpty());
}

TEST_F(SharedSteps, WhoWaitsCanBeCancelled) {
  std::latch stopped(1);
  progress_.react = [&](const Event& event) {
    const StepLog* log = std::get_if<StepLog>(&event.what);
    if (log && log->bytes.find("waiting for it") != std::string::npos) stop_.request_stop();
  };
  while_made(
      [&] {
        EXPECT_THAT(build(kFile).published, IsEmpty());
        stopped.count_down();
      },
      stopped);
  EXPECT_EQ(calls_, 1);
}

}  // namespace
}  // namespace slipway
