// Which results on record the policies of emulation take. Twins never run here: that they did is written into
// the records.
#include <gmock/gmock.h>

#include "base/strings.h"
#include "build/run_fixture.h"

namespace slipway {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

class EmulatedResults : public testing_support::RunTest {
 protected:
  void SetUp() override {
    RunTest::SetUp();
    const auto table = directory_.path() / "binfmt";
    std::filesystem::create_directories(table);
    write_file_atomic(table / "status", "enabled\n");
    write_file_atomic(
        table / "arm64",
        "enabled\ninterpreter /nowhere/qemu-aarch64\nflags: PF\noffset 0\n"
        "magic 7f454c460201010000000000000000000200b700\nmask ffffffffffffff00fffffffffffffffffeffffff\n");
    emulators_.binfmt_directory = table;
    write_context("hello", "text");
  }
  Settings by(EmulationPolicies emulation) const {
    Settings settings;
    settings.platforms = {"linux/arm64"};
    settings.emulation = std::move(emulation);
    return settings;
  }
  /// What a build ran: commands, and whether anything was copied.
  std::vector<std::string> ran(const Settings& settings, const char* file = kFile) {
    const std::size_t before = sandbox_.commands().size();
    progress_.clear();
    build(file, settings);
    const std::vector<std::string> commands = sandbox_.commands();
    return {commands.begin() + static_cast<std::ptrdiff_t>(before), commands.end()};
  }
  std::vector<std::string> passed_over() {
    std::vector<std::string> reasons;
    for (const StepStarted& step : progress_.all<StepStarted>())
      if (!step.passed_over.empty()) reasons.push_back(step.passed_over);
    return reasons;
  }
  void rewrite(const std::string& sql) {
    store_.reset();
    run_sql(sql);
    store_ = open();
  }
  void mark_all(const std::string& marks) {
    rewrite(concat("UPDATE result_emulation SET emulation = '", marks, "'"));
  }

  static constexpr const char* kFile = "FROM scratch\nRUN make\nCOPY hello /\n";
  static constexpr const char* kTwins =
      "its result was made with native twins, which --emulation=qemu does not take";
};

TEST_F(EmulatedResults, WhatTheEmulatorMadeAloneIsEverybodys) {
  EXPECT_THAT(ran(by(EmulationPolicy::Auto)), ElementsAre("make"));
  EXPECT_THAT(ran(by(EmulationPolicy::Qemu)), IsEmpty());
  EXPECT_THAT(ran(by(EmulationPolicy::Auto)), IsEmpty());
}

TEST_F(EmulatedResults, QemuTakesNothingThatTwinsHadAPartIn) {
  ran(by(EmulationPolicy::Auto));
  mark_all("linux/arm64=twins");
  EXPECT_THAT(ran(by(EmulationPolicy::Auto)), IsEmpty());
  EXPECT_THAT(ran(by(EmulationPolicy::Qemu)), ElementsAre("make"));
  EXPECT_THAT(passed_over(), ElementsAre(kTwins, kTwins)) << "the copy stands on the step";
  EXPECT_THAT(ran(by(EmulationPolicy::Qemu)), IsEmpty()) << "the new result has replaced it";
  EXPECT_THAT(ran(by(EmulationPolicy::Auto)), IsEmpty());
}

TEST_F(EmulatedResults, WhatStandsOnATwinsResultIsMarkedAsThat) {
  constexpr const char* kFirst = "FROM scratch\nRUN make\n";
  ran(by(EmulationPolicy::Auto), kFirst);
  mark_all("linux/arm64=twins");
  ran(by(EmulationPolicy::Auto), "FROM scratch\nRUN make\nRUN more\nCOPY hello /\n");
  EXPECT_THAT(ran(by(EmulationPolicy::Qemu), "FROM scratch\nRUN make\nRUN more\nCOPY hello /\n"),
              ElementsAre("make", "more"));
}

TEST_F(EmulatedResults, WhatIsFoundByContentIsHeldToTheSame) {
  const auto app = [](const std::string& make) {
    return concat("FROM scratch AS build\nRUN ", make,
                  "\nFROM scratch\nCOPY --from=build /ran /app\nRUN after\n");
  };
  for (const char* make : {"make", "make again", "make at last"})
    sandbox_.script(make,
                    {.act = [](const SandboxSpec& spec) { write_file_atomic(spec.rootfs / "ran", "same"); }});
  EXPECT_THAT(ran(by(EmulationPolicy::Auto), app("make").c_str()), ElementsAre("make", "after"));
  mark_all("linux/arm64=twins");
  EXPECT_THAT(ran(by(EmulationPolicy::Auto), app("make again").c_str()), ElementsAre("make again"));
  EXPECT_THAT(ran(by(EmulationPolicy::Qemu), app("make at last").c_str()),
              ElementsAre("make at last", "after"));
}

TEST_F(EmulatedResults, OfARecordThatSaysNothingTwinsMayHaveHadAPart) {
  ran(by(EmulationPolicy::Auto));
  rewrite("DELETE FROM result_emulation");
  EXPECT_THAT(ran(by(EmulationPolicy::Auto)), IsEmpty());
  EXPECT_THAT(ran(by(EmulationPolicy::Qemu)), ElementsAre("make"));
  EXPECT_THAT(passed_over(),
              Contains(testing::StartsWith("its result may have been made with native twins")));
}

TEST_F(EmulatedResults, VerifyTakesWhatWasVerifiedAlone) {
  ran(by(EmulationPolicy::Qemu));
  EXPECT_THAT(ran(by(EmulationPolicy::Verify)), ElementsAre("make"));
  EXPECT_THAT(passed_over(), Contains("its result was not verified, as --emulation=verify asks for"));
  mark_all("linux/arm64=both");
  EXPECT_THAT(ran(by(EmulationPolicy::Verify)), IsEmpty());
  EXPECT_THAT(ran(by(EmulationPolicy::Qemu)), IsEmpty());
  mark_all("linux/arm64=both:0123456789ab");
  EXPECT_THAT(ran(by(EmulationPolicy::Verify)), ElementsAre("make"));
  EXPECT_THAT(passed_over(), Contains("its result was verified with other toolchain packs"));
}

TEST_F(EmulatedResults, APolicyIsForItsPlatform) {
  ran(by(EmulationPolicy::Auto));
  mark_all("linux/arm64=twins");
  EXPECT_THAT(ran(by(EmulationPolicies::parse({"linux/riscv64=qemu,auto"}))), IsEmpty());
  EXPECT_THAT(ran(by(EmulationPolicies::parse({"linux/arm64=qemu,auto"}))), ElementsAre("make"));
}

TEST_F(EmulatedResults, NativeStepsAreNoConcernOfThePolicies) {
  Settings settings = by(EmulationPolicy::Auto);
  settings.platforms = {"linux/amd64"};
  EXPECT_THAT(ran(settings), ElementsAre("make"));
  for (const EmulationPolicy policy : {EmulationPolicy::Qemu, EmulationPolicy::Verify}) {
    settings.emulation = policy;
    EXPECT_THAT(ran(settings), IsEmpty());
  }
}

class EmulatedResultsOfCaches : public EmulatedResults {
 protected:
  Settings to_cache(Settings settings) const {
    CacheTarget target{.type = CacheTarget::Type::Local};
    target.directory = directory_.path() / "cache";
    target.all_steps = true;
    settings.cache_to = {target};
    return settings;
  }
  Settings from_cache(Settings settings) const {
    CacheSource source{.type = CacheSource::Type::Local};
    source.directory = directory_.path() / "cache";
    settings.cache_from = {source};
    return settings;
  }
};

TEST_F(EmulatedResultsOfCaches, ACacheSaysWhoMadeWhatIsInIt) {
  ran(to_cache(by(EmulationPolicy::Auto)));
  go_to_another_machine();
  EXPECT_THAT(ran(from_cache(by(EmulationPolicy::Qemu))), IsEmpty());
  go_to_another_machine();
  EXPECT_THAT(ran(from_cache(by(EmulationPolicy::Verify))), ElementsAre("make"));
}

TEST_F(EmulatedResultsOfCaches, WhatTwinsHadAPartInIsNotTakenFromThere) {
  ran(by(EmulationPolicy::Auto));
  mark_all("linux/arm64=twins");
  ran(to_cache(by(EmulationPolicy::Auto)));
  go_to_another_machine();
  EXPECT_THAT(ran(from_cache(by(EmulationPolicy::Auto))), IsEmpty());
  EXPECT_THAT(ran(from_cache(by(EmulationPolicy::Qemu))), ElementsAre("make"))
      << "neither from the cache nor what was just unpacked of it";
}

}  // namespace
}  // namespace slipway
