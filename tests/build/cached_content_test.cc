// Steps that a cache outside the store knows by the content of what they read.
#include <gmock/gmock.h>

#include <atomic>
#include <functional>
#include <latch>
#include <thread>

#include "base/strings.h"
#include "build/run_fixture.h"
#include "cache/cache_place.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using testing::UnorderedElementsAre;

class CachedContent : public testing_support::RunTest {
 protected:
  /// A stage that is made in some way, and an image that has one file of it, after a step of its own.
  static std::string app(const std::string& make, const std::string& last = "after") {
    return concat("FROM scratch AS build\nRUN ", make,
                  "\nFROM scratch\nRUN first\nCOPY --from=build /ran /app\nRUN ", last, "\n");
  }
  void SetUp() override {
    RunTest::SetUp();
    if (IsSkipped()) return;
    for (const char* command : {"make", "make again"})
      sandbox_.script(
          command, {.act = [](const SandboxSpec& spec) { write_file_atomic(spec.rootfs / "ran", "same"); }});
  }
  Settings saving(const std::string& name) {
    CacheTarget target{.type = CacheTarget::Type::Local};
    target.directory = directory_.path() / name;
    target.all_steps = true;
    Settings settings;
    settings.cache_to = {target};
    return settings;
  }
  Settings taking(const std::string& name) {
    CacheSource source{.type = CacheSource::Type::Local};
    source.directory = directory_.path() / name;
    Settings settings;
    settings.cache_from = {source};
    return settings;
  }
  /// What is run by a build that is there by itself.
  std::vector<std::string> ran_for(const std::string& dockerfile, const Settings& settings) {
    const std::size_t before = sandbox_.commands().size();
    progress_.clear();
    ended_ = build(dockerfile, settings);
    const std::vector<std::string> commands = sandbox_.commands();
    return {commands.begin() + static_cast<std::ptrdiff_t>(before), commands.end()};
  }
  /// The cache lists them all the same.
  void lose_layers(const Ended& made) {
    for (const Descriptor& layer : made.published.at(0).layers)
      fs::remove(directory_.path() / "cache/blobs/sha256" / layer.digest.hex());
  }
  /// What a cache says, changed by somebody who means no good.
  void forge(const std::string& name, const std::function<void(CacheConfig&)>& change) {
    DirectoryCache cache({.directory = directory_.path() / name, .digest = {}, .form = {}, .platforms = {}});
    FoundCache found = cache.read({});
    change(found.config);
    ASSERT_TRUE(cache.write(found.config, found.version, {}));
  }
  CacheConfig config_of(const std::string& name) {
    return DirectoryCache({.directory = directory_.path() / name, .digest = {}, .form = {}, .platforms = {}})
        .read({})
        .config;
  }
  std::vector<std::string> hows() {
    std::vector<std::string> hows;
    for (const StepFinished& step : progress_.all<StepFinished>())
      if (!step.how.empty()) hows.push_back(step.how);
    return hows;
  }
  Ended ended_;
};

TEST_F(CachedContent, WhatFollowsAnEqualFileIsNotRunOnAnotherMachine) {
  const Ended first = build(app("make"), saving("cache"));
  go_to_another_machine();
  EXPECT_THAT(ran_for(app("make again"), taking("cache")), ElementsAre("make again"));
  EXPECT_THAT(hows(), ElementsAre("hit by content", "hit by content")) << "the copy, and the step after it";
  EXPECT_EQ(ended_.published.at(0).manifest, first.published.at(0).manifest);
  EXPECT_THAT(ran_for(app("make again"), taking("cache")), IsEmpty()) << "what was made to know is known now";
}

TEST_F(CachedContent, AnotherFileIsCopied) {
  build(app("make"), saving("cache"));
  sandbox_.script("make again",
                  {.act = [](const SandboxSpec& spec) { write_file_atomic(spec.rootfs / "ran", "other"); }});
  go_to_another_machine();
  EXPECT_THAT(ran_for(app("make again"), taking("cache")), ElementsAre("make again", "after"));
  EXPECT_THAT(hows(), IsEmpty());
}

TEST_F(CachedContent, StepsOfABuildThatFoundAllAreSavedByContent) {
  build(app("make"));
  EXPECT_THAT(ran_for(app("make"), saving("cache")), IsEmpty());
  go_to_another_machine();
  EXPECT_THAT(ran_for(app("make again"), taking("cache")), ElementsAre("make again"));
}

TEST_F(CachedContent, IsHandedOnFromCacheToCache) {
  build(app("make"), saving("one"));
  go_to_another_machine();
  Settings both = taking("one");
  both.cache_to = saving("two").cache_to;
  EXPECT_THAT(ran_for(app("make"), both), IsEmpty());
  go_to_another_machine();
  EXPECT_THAT(ran_for(app("make again"), taking("two")), ElementsAre("make again"));
}

TEST_F(CachedContent, TreesBelowOneThatWasUnpackedBeforeKeepTheirNames) {
  build(app("make"), saving("cache"));
  go_to_another_machine();
  EXPECT_THAT(ran_for(app("make", "another"), taking("cache")), ElementsAre("another"))
      << "unpacks what is below it";
  EXPECT_THAT(ran_for(app("make again"), taking("cache")), ElementsAre("make again"));
}

TEST_F(CachedContent, StoreThatCannotTakeALayerIsNotTheCachesFault) {
  build(app("make"), saving("cache"));
  go_to_another_machine();
  Settings settings = taking("cache");
  settings.before_run = [&] { fs::remove_all(store_->root() / "tmp"); };
  const std::size_t before = sandbox_.commands().size();
  EXPECT_THROW(build(app("make", "another"), settings), SystemError);
  EXPECT_THAT(sandbox_.commands(), SizeIs(before));
  EXPECT_THAT(progress_.all<Warned>(), IsEmpty());
}

TEST_F(CachedContent, LayersThatAreGoneAreMadeAgain) {
  const Ended first = build(app("make"), saving("cache"));
  lose_layers(first);
  go_to_another_machine();
  EXPECT_THAT(ran_for(app("make again"), taking("cache")),
              UnorderedElementsAre("make again", "first", "after"));
  EXPECT_THAT(progress_.all<Warned>(), SizeIs(1));
  EXPECT_THAT(files_of(ended_.published.at(0)), testing::Contains(Pair("app", "same")));
}

TEST_F(CachedContent, WhatIsRunAfterAllIsKnownByContent) {
  lose_layers(build(app("make"), saving("cache")));
  go_to_another_machine();
  EXPECT_THAT(ran_for(app("make", "another"), taking("cache")),
              UnorderedElementsAre("make", "first", "another"));
  EXPECT_THAT(ran_for(app("make again", "another"), Settings{}), ElementsAre("make again"));
  EXPECT_THAT(hows(), ElementsAre("hit by content", "hit by content"));
}

TEST_F(CachedContent, WhatIsRunAfterAllIsRunByOneOfTwoBuilds) {
  lose_layers(build(app("make"), saving("cache")));
  go_to_another_machine();
  std::latch runs(1), waits(1);
  std::atomic<int> calls = 0;
  sandbox_.script("first", {.act = [&](const SandboxSpec& spec) {
                    write_file_atomic(spec.rootfs / "first", "first");
                    if (calls++ > 0) return;
                    runs.count_down();
                    waits.wait();
                  }});
  progress_.react = [&](const Event& event) {
    const StepLog* log = std::get_if<StepLog>(&event.what);
    if (log && log->bytes.find("waiting for it") != std::string::npos && !waits.try_wait())
      waits.count_down();
  };
  std::jthread one([&] { build(app("make", "another"), taking("cache")); });
  runs.wait();
  build(app("make", "another"), taking("cache"));
  if (!waits.try_wait()) waits.count_down();  // it did not wait
  one.join();
  EXPECT_EQ(calls, 1);
}

TEST_F(CachedContent, NameThatACacheGivesATreeIsNothingToABuildWithoutIt) {
  build("FROM scratch\nRUN good\n", saving("good"));
  const auto name = config_of("good").records.at(0).notes->tree;
  ASSERT_TRUE(name);
  build("FROM scratch\nRUN bad\n", saving("bad"));
  forge("bad", [&](CacheConfig& config) {
    for (CacheConfigRecord& record : config.records) record.notes->tree = name;
  });
  go_to_another_machine();
  EXPECT_THAT(ran_for("FROM scratch\nRUN bad\nRUN next\n", taking("bad")), ElementsAre("next"));
  EXPECT_THAT(ran_for("FROM scratch\nRUN good\nRUN next\n", {}), ElementsAre("good", "next"));
}

TEST_F(CachedContent, ResultWithOtherLayersThanTheStepsMakeGivesTheCacheUp) {
  build("FROM scratch\nRUN one\nRUN two\n", saving("cache"));
  forge("cache", [](CacheConfig& config) {
    for (CacheConfigRecord& record : config.records)
      if (record.results.at(0).layer == 0) record.results.at(0).layer = 1;
  });
  go_to_another_machine();
  EXPECT_THAT(ran_for("FROM scratch\nRUN one\nRUN other\n", taking("cache")), ElementsAre("one", "other"));
  EXPECT_THAT(progress_.all<Warned>(),
              Contains(testing::Field(&Warned::message, HasSubstr("has other layers"))));
}

TEST_F(CachedContent, NoCacheLooksForNone) {
  build(app("make"), saving("cache"));
  go_to_another_machine();
  Settings settings = taking("cache");
  settings.no_cache = true;
  EXPECT_THAT(ran_for(app("make"), settings), UnorderedElementsAre("make", "first", "after"));
}

}  // namespace
}  // namespace slipway
