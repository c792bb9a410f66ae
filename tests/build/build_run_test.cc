#include "build/build_run.h"

#include <gmock/gmock.h>

#include <latch>

#include "base/strings.h"
#include "build/run_fixture.h"

namespace slipway {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using testing::UnorderedElementsAre;

class BuildRunTest : public testing_support::RunTest {};
class BuildRunCache : public testing_support::RunTest {};
class BuildRunFailure : public testing_support::RunTest {};
class BuildRunCancel : public testing_support::RunTest {};
class BuildRunSecrets : public testing_support::RunTest {};

// Two stages: one step each, so that nothing need be mounted.
constexpr const char* kTwoStages = R"(FROM scratch AS build
RUN make
FROM scratch
COPY --from=build /ran /app
)";

TEST_F(BuildRunTest, StepsMakeTheImagesFiles) {
  write_context("hello", "from the context");
  const Ended copied = build("FROM scratch\nCOPY hello /greetings/\n");
  EXPECT_THAT(files_of(copied.published.at(0)), ElementsAre(Pair("greetings/hello", "from the context")));
  const Ended made = build(kTwoStages);
  EXPECT_THAT(files_of(made.published.at(0)), ElementsAre(Pair("app", "make")));
  EXPECT_EQ(made.lanes.at(0).image.value().manifest, made.published.at(0).manifest);
}

TEST_F(BuildRunTest, LaterStepsSeeTheFilesOfEarlierOnes) {
  write_context("hello", "text");
  sandbox_.script("shout", {.act = [](const SandboxSpec& spec) {
                    write_file_atomic(spec.rootfs / "loud", to_upper(read_file(spec.rootfs / "hello")));
                  }});
  const Ended ended = build("FROM scratch\nCOPY hello /\nRUN shout\n");
  EXPECT_THAT(files_of(ended.published.at(0)), ElementsAre(Pair("hello", "text"), Pair("loud", "TEXT")));
  EXPECT_THAT(ended.published.at(0).layers, SizeIs(2));
}

TEST_F(BuildRunTest, StepGetsItsCommandEnvironmentAndDirectory) {
  build("FROM scratch\nENV A=b\nUSER 7:8\nRUN --network=none make all\n");
  const std::vector<SandboxSpec> specs = sandbox_.specs();
  ASSERT_THAT(specs, SizeIs(1));
  EXPECT_THAT(specs[0].args, ElementsAre("/bin/sh", "-c", "make all"));
  EXPECT_THAT(specs[0].env, Contains("A=b"));
  EXPECT_EQ(specs[0].cwd, "/");
  EXPECT_EQ(specs[0].user, "7:8");
  EXPECT_EQ(specs[0].network, NetworkMode::None);
  EXPECT_EQ(specs[0].execution.kind, Execution::Kind::Native);
  EXPECT_THAT(specs[0].id, testing::MatchesRegex("[a-z0-9-]+"));
}

TEST_F(BuildRunTest, NothingOfAStepRemainsButItsSnapshot) {
  build(kTwoStages);
  EXPECT_EQ(testing_support::entries_of(store_->temp_directory()), 1U) << "the session's lock alone";
}

TEST_F(BuildRunTest, SharedVertexRunsOnceForTwoPlatforms) {
  write_context("hello", "text");
  const Ended ended = build(R"(FROM --platform=$BUILDPLATFORM scratch AS build
RUN make
FROM scratch
COPY --from=build /ran /app
)",
                            {.platforms = {"linux/amd64", "linux/386"}});
  EXPECT_THAT(sandbox_.commands(), ElementsAre("make"));
  ASSERT_THAT(ended.published, SizeIs(2));
  EXPECT_EQ(ended.published[0].tree, ended.published[1].tree);
  EXPECT_EQ(ended.published[0].layers, ended.published[1].layers);
  EXPECT_NE(ended.published[0].config, ended.published[1].config);
  EXPECT_THAT(progress_.all<StepPlanned>().front().lane, "linux/amd64,linux/386");
}

TEST_F(BuildRunTest, EachPlatformRunsItsOwnSteps) {
  const Ended ended = build(kTwoStages, {.platforms = {"linux/amd64", "linux/386"}});
  EXPECT_THAT(sandbox_.commands(), ElementsAre("make", "make"));
  ASSERT_THAT(ended.published, SizeIs(2));
  EXPECT_EQ(ended.published[0].manifest.platform, Platform::parse("linux/amd64"));
  EXPECT_EQ(ended.published[1].manifest.platform, Platform::parse("linux/386"));
}

TEST_F(BuildRunTest, EmptyImageIsAnImage) {
  const Ended ended = build("FROM scratch\nCMD [\"/app\"]\n");
  ASSERT_THAT(ended.published, SizeIs(1));
  EXPECT_EQ(ended.published[0].tree, std::nullopt);
  EXPECT_THAT(ended.published[0].layers, IsEmpty());
}

TEST_F(BuildRunTest, ForeignStepsAreEmulatedAndSaySo) {
  const auto table = directory_.path() / "binfmt";
  std::filesystem::create_directories(table);
  write_file_atomic(table / "status", "enabled\n");
  write_file_atomic(
      table / "arm64",
      "enabled\ninterpreter /nowhere/qemu-aarch64\nflags: PF\noffset 0\n"
      "magic 7f454c460201010000000000000000000200b700\nmask ffffffffffffff00fffffffffffffffffeffffff\n");
  emulators_.binfmt_directory = table;
  const Ended ended = build(kTwoStages, {.platforms = {"linux/amd64", "linux/arm64"}});
  EXPECT_EQ(ended.lanes.at(0).mode, "native");
  EXPECT_EQ(ended.lanes.at(1).mode, "emulated by qemu-aarch64");
  EXPECT_EQ(ended.lanes.at(1).isolation, "oci");
  std::vector<std::string> how;
  for (const StepStarted& started : progress_.all<StepStarted>()) {
    if (started.mode != ExecutionMode::None) how.push_back(started.how);
    EXPECT_EQ(started.isolation, started.mode == ExecutionMode::None ? "" : "oci");
  }
  EXPECT_THAT(how, UnorderedElementsAre("", "emulated by qemu-aarch64"));
}

TEST_F(BuildRunTest, MissingEmulatorIsToldBeforeAnythingRuns) {
  const HostError error = failure_of<HostError>(kTwoStages, {.platforms = {"linux/amd64", "linux/arm64"}});
  EXPECT_THAT(error.what(), HasSubstr("linux/arm64"));
  EXPECT_THAT(sandbox_.commands(), IsEmpty());
}

TEST_F(BuildRunTest, ForeignImageThatRunsNothingNeedsNoEmulator) {
  write_context("hello", "text");
  const Ended ended = build("FROM scratch\nCOPY hello /\n", {.platforms = {"linux/arm64"}});
  EXPECT_THAT(ended.published, SizeIs(1));
}

TEST_F(BuildRunTest, EveryStepIsAnnouncedOnceAndEndsOnce) {
  build(kTwoStages, {.platforms = {"linux/amd64", "linux/386"}});
  std::vector<std::string> planned, finished;
  for (const StepPlanned& step : progress_.all<StepPlanned>()) planned.push_back(step.id);
  for (const StepFinished& step : progress_.all<StepFinished>()) finished.push_back(step.id);
  EXPECT_THAT(finished, testing::UnorderedElementsAreArray(planned));
  std::ranges::sort(planned);
  EXPECT_EQ(std::ranges::adjacent_find(planned), planned.end());
  EXPECT_THAT(planned, Contains("publish"));
}

TEST_F(BuildRunTest, PlatformIsHandedOnAsSoonAsItsImageIsMade) {
  std::vector<std::string> order;
  build(kTwoStages,
        {.platforms = {"linux/amd64", "linux/386"},
         .on_image = [&](const AssembledImage& image) { order.push_back(image.manifest.platform->str()); },
         .on_publish = [&] { order.push_back("publish"); }});
  ASSERT_THAT(order, UnorderedElementsAre("linux/amd64", "linux/386", "publish"));
  EXPECT_EQ(order.back(), "publish");
}

TEST_F(BuildRunCache, StepsWithResultsDoNotRunAgain) {
  write_context("hello", "text");
  const std::string file = concat(kTwoStages, "COPY hello /copied\n");
  const Ended first = build(file);
  progress_.clear();
  sandbox_missing_ = true;  // what runs nothing needs no sandbox
  const Ended second = build(file);
  EXPECT_THAT(sandbox_.commands(), SizeIs(1));
  EXPECT_EQ(second.steps, 2U) << "assembling and publishing";
  EXPECT_EQ(second.published.at(0).manifest, first.published.at(0).manifest);
  EXPECT_EQ(second.lanes.at(0).mode, "cached");
  EXPECT_EQ(second.lanes.at(0).isolation, "");
  EXPECT_THAT(progress_.ended(StepEnd::Cached), SizeIs(testing::Ge(3U)));
  for (const StepStarted& started : progress_.all<StepStarted>())
    EXPECT_EQ(started.mode, ExecutionMode::None);
}

TEST_F(BuildRunCache, OnlyWhatReadsAChangedFileRunsAgain) {
  write_context("hello", "text");
  const char* file =
      "FROM scratch AS build\nRUN make\nFROM scratch AS files\nCOPY hello /\nFROM scratch\n"
      "COPY --from=build /ran /app\nCOPY --from=files /hello /hello\n";
  build(file);
  write_context("hello", "changed");
  const Ended second = build(file);
  EXPECT_THAT(sandbox_.commands(), ElementsAre("make"));
  EXPECT_THAT(files_of(second.published.at(0)), ElementsAre(Pair("app", "make"), Pair("hello", "changed")));
  EXPECT_EQ(second.lanes.at(0).mode, "copied");
}

TEST_F(BuildRunCache, AnotherCommandRuns) {
  build(kTwoStages);
  build("FROM scratch AS build\nRUN make install\nFROM scratch\nCOPY --from=build /ran /app\n");
  EXPECT_THAT(sandbox_.commands(), ElementsAre("make", "make install"));
}

TEST_F(BuildRunCache, NoCacheRunsEverythingAndRecordsTheNew) {
  int times = 0;
  sandbox_.script("make", {.act = [&](const SandboxSpec& spec) {
                    write_file_atomic(spec.rootfs / "ran", std::to_string(++times));
                  }});
  build(kTwoStages);
  EXPECT_THAT(files_of(build(kTwoStages, {.no_cache = true}).published.at(0)), ElementsAre(Pair("app", "2")));
  EXPECT_THAT(files_of(build(kTwoStages).published.at(0)), ElementsAre(Pair("app", "2")));
  EXPECT_EQ(times, 2);
}

TEST_F(BuildRunCache, ResultWhoseSnapshotIsGoneIsMadeAgain) {
  const Ended first = build(kTwoStages);
  store_->snapshots().remove(*first.published.at(0).tree);
  const Ended second = build(kTwoStages);
  EXPECT_THAT(sandbox_.commands(), SizeIs(1)) << "the build stage is still there";
  EXPECT_THAT(files_of(second.published.at(0)), ElementsAre(Pair("app", "make")));
}

TEST_F(BuildRunCache, FileThatChangesBeforeItIsCopiedIsRefusedAndNotRecorded) {
  write_context("hello", "as it was keyed");
  const InvalidInput error =
      failure_of<InvalidInput>("FROM scratch\nCOPY hello /\n",
                               {.before_run = [&] { write_context("hello", "as it was copied, later"); }});
  EXPECT_THAT(error.what(), HasSubstr("changed"));
  ASSERT_TRUE(error.location());
  EXPECT_EQ(error.location()->line, 2);
  EXPECT_THAT(store_->snapshots().list(), IsEmpty());

  write_context("hello", "as it was keyed");
  EXPECT_THAT(files_of(build("FROM scratch\nCOPY hello /\n").published.at(0)),
              ElementsAre(Pair("hello", "as it was keyed")));
}

TEST_F(BuildRunCache, FileThatVanishesBeforeItIsCopiedIsRefused) {
  write_context("hello", "text");
  const InvalidInput error = failure_of<InvalidInput>(
      "FROM scratch\nCOPY hello /\n", {.before_run = [&] { std::filesystem::remove(context_ / "hello"); }});
  EXPECT_TRUE(error.location());
  EXPECT_THAT(store_->snapshots().list(), IsEmpty());
}

TEST_F(BuildRunCache, FileThatAppearsInACopiedDirectoryIsNoticed) {
  write_context("hello", "text");
  failure_of<InvalidInput>("FROM scratch\nCOPY . /\n", {.before_run = [&] { write_context("new", "text"); }});
  EXPECT_THAT(store_->snapshots().list(), IsEmpty());
}

TEST_F(BuildRunCache, FileThatIsNotCopiedMayChange) {
  write_context("hello", "text");
  write_context("other", "text");
  build("FROM scratch\nCOPY hello /\n", {.before_run = [&] { write_context("other", "changed"); }});
}

TEST_F(BuildRunFailure, StepThatFailsNamesItsPlacePlatformAndLastLines) {
  sandbox_.script("make", {.exit_code = 2, .output = "cc: no input files\n"});
  const BuildFailed error =
      failure_of<BuildFailed>(kTwoStages, {.platforms = {"linux/386"}, .log_tail = {"cc: no input files"}});
  EXPECT_THAT(error.what(), HasSubstr("exit code: 2"));
  EXPECT_THAT(error.what(), HasSubstr("make"));
  EXPECT_THAT(error.what(), HasSubstr("linux/386"));
  ASSERT_TRUE(error.location());
  EXPECT_EQ(error.location()->file, "Dockerfile");
  EXPECT_EQ(error.location()->line, 2);
  EXPECT_EQ(error.location()->line_text, "RUN make");
  EXPECT_THAT(error.log_tail(), ElementsAre("cc: no input files"));
  const auto logs = progress_.all<StepLog>();
  ASSERT_THAT(logs, SizeIs(1));
  EXPECT_EQ(logs[0].bytes, "cc: no input files\n");
  EXPECT_EQ(logs[0].id, asked_for_log_) << "the lines asked for are the step's that failed";
}

TEST_F(BuildRunFailure, KilledStepNamesTheSignal) {
  sandbox_.script("make", {.exit_code = 137});
  EXPECT_THAT(failure_of<BuildFailed>(kTwoStages).what(), HasSubstr("killed by signal 9"));
}

TEST_F(BuildRunFailure, NothingIsPublishedKeptOrRecorded) {
  bool published = false;
  sandbox_.script("make", {.exit_code = 1});
  failure_of<BuildFailed>(kTwoStages, {.on_publish = [&] { published = true; }});
  EXPECT_FALSE(published);
  EXPECT_THAT(store_->snapshots().list(), IsEmpty());
  EXPECT_EQ(testing_support::entries_of(store_->temp_directory()), 1U);
  sandbox_.script("make", {});
  build(kTwoStages);
  EXPECT_THAT(sandbox_.commands(), ElementsAre("make", "make")) << "a failure is no result";
}

TEST_F(BuildRunFailure, WhatDependsOnTheFailureIsSkipped) {
  sandbox_.script("make", {.exit_code = 1});
  failure_of<BuildFailed>(kTwoStages, {.keep_going = true});
  const auto skipped = progress_.ended(StepEnd::Skipped);
  EXPECT_THAT(skipped, Contains(HasSubstr("COPY")));
  EXPECT_THAT(skipped, Contains(HasSubstr("assembling")));
}

constexpr const char* kFailsOnOne =
    "FROM scratch AS build\nARG TARGETARCH\nRUN make-$TARGETARCH\nFROM scratch\nCOPY --from=build /ran "
    "/app\n";

TEST_F(BuildRunFailure, KeepGoingFinishesTheOtherPlatform) {
  int calls = 0;
  sandbox_.script("make-$TARGETARCH", {.act = [&](const SandboxSpec& spec) {
                    ++calls;
                    if (std::ranges::find(spec.env, "TARGETARCH=386") != spec.env.end())
                      throw BuildFailed("exit code: 1");
                    write_file_atomic(spec.rootfs / "ran", "amd64");
                  }});
  std::vector<std::string> assembled;
  bool published = false;
  failure_of<BuildFailed>(
      kFailsOnOne,
      {.platforms = {"linux/386", "linux/amd64"},
       .keep_going = true,
       .on_image = [&](const AssembledImage& image) { assembled.push_back(image.manifest.platform->str()); },
       .on_publish = [&] { published = true; }});
  EXPECT_EQ(calls, 2);
  EXPECT_THAT(assembled, ElementsAre("linux/amd64"));
  EXPECT_FALSE(published) << "an index without a platform that was asked for is no result";
}

TEST_F(BuildRunFailure, KeepGoingFinishesWhatNeedsNoEmulator) {
  int searches = 0;
  emulators_.image_name = "emulators";
  emulators_.image = [&]() -> std::filesystem::path {
    ++searches;
    throw NotFound("nowhere");
  };
  const Settings both{.platforms = {"linux/amd64", "linux/s390x"}, .keep_going = true};
  const HostError error = failure_of<HostError>(kFailsOnOne, both);
  EXPECT_THAT(error.what(), HasSubstr("no emulator for linux/s390x on this machine"));
  EXPECT_THAT(sandbox_.commands(), ElementsAre("make-$TARGETARCH"));
  EXPECT_THAT(progress_.ended(StepEnd::Done), Contains(HasSubstr("[linux/amd64] assembling")));
  EXPECT_EQ(searches, 1) << "what is not there is not looked for by every step";
}

TEST_F(BuildRunFailure, MissingEmulatorIsToldBeforeAnythingRuns) {
  failure_of<HostError>(kFailsOnOne, {.platforms = {"linux/amd64", "linux/s390x"}});
  EXPECT_THAT(sandbox_.commands(), IsEmpty());
}

TEST_F(BuildRunFailure, EveryFailureIsTold) {
  sandbox_.script("make-$TARGETARCH", {.exit_code = 3});
  const BuildFailed error =
      failure_of<BuildFailed>(kFailsOnOne, {.platforms = {"linux/386", "linux/amd64"}, .keep_going = true});
  EXPECT_THAT(describe(error), HasSubstr("linux/386"));
  EXPECT_THAT(describe(error), HasSubstr("linux/amd64"));
}

TEST_F(BuildRunFailure, FirstFailureStopsWhatStillRuns) {
  executor_ = std::make_unique<ThreadExecutor>(ExecutorOptions{.blocking_threads = 4, .cpu_threads = 2});
  std::latch slow_runs(1);
  sandbox_.script("slow",
                  {.act = [&](const SandboxSpec&) { slow_runs.count_down(); }, .until_stopped = true});
  sandbox_.script("fails", {.exit_code = 4, .act = [&](const SandboxSpec&) { slow_runs.wait(); }});
  const BuildFailed error = failure_of<BuildFailed>(
      "FROM scratch AS a\nRUN slow\nFROM scratch AS b\nRUN fails\nFROM scratch\nCOPY --from=a / /a\nCOPY "
      "--from=b / /b\n");
  EXPECT_THAT(error.what(), HasSubstr("exit code: 4"));
  EXPECT_THAT(progress_.ended(StepEnd::Cancelled), Contains(HasSubstr("slow")));
  EXPECT_THAT(store_->snapshots().list(), IsEmpty());
}

TEST_F(BuildRunFailure, MissingSandboxIsAHostErrorAtTheStep) {
  sandbox_missing_ = true;
  const std::string error = failure_of<HostError>(kTwoStages).what();
  EXPECT_THAT(error, HasSubstr("RUN make"));
  EXPECT_EQ(error.find("Dockerfile:2:1: building for "), 0U) << error << ": the place comes first";
}

TEST_F(BuildRunFailure, MissingFileOfAStageNamesTheCopy) {
  const InvalidInput error = failure_of<InvalidInput>(
      "FROM scratch AS build\nRUN make\nFROM scratch\nCOPY --from=build /none /app\n");
  EXPECT_THAT(error.what(), HasSubstr("/none"));
  ASSERT_TRUE(error.location());
  EXPECT_EQ(error.location()->line, 4);
}

TEST_F(BuildRunFailure, UploadThatFailsIsTheBuildsError) {
  const TransportError error("the registry hung up", false);
  bool published = false;
  EXPECT_THROW(build(kTwoStages, {.on_image = [&](const AssembledImage&) { throw error; },
                                  .on_publish = [&] { published = true; }}),
               TransportError);
  EXPECT_FALSE(published);
}

TEST_F(BuildRunCancel, StoppedStepLeavesNoResult) {
  sandbox_.script("make", {.act = [&](const SandboxSpec&) { stop_.request_stop(); }, .until_stopped = true});
  const Ended ended = build(kTwoStages);  // a stop is no failure; who asked for it knows
  EXPECT_THAT(ended.published, IsEmpty());
  EXPECT_THAT(store_->snapshots().list(), IsEmpty());
  EXPECT_EQ(testing_support::entries_of(store_->temp_directory()), 1U);
  EXPECT_THAT(progress_.ended(StepEnd::Failed), IsEmpty());

  stop_ = std::stop_source();
  sandbox_.script("make", {});
  build(kTwoStages);
  EXPECT_THAT(sandbox_.commands(), ElementsAre("make", "make"));
}

TEST_F(BuildRunCancel, StopBeforeTheStartRunsNothing) {
  stop_.request_stop();
  EXPECT_THAT(build(kTwoStages).published, IsEmpty());
  EXPECT_THAT(sandbox_.commands(), IsEmpty());
}

TEST_F(BuildRunCancel, WhatWasDoneBeforeTheStopIsKept) {
  const char* file =
      "FROM scratch AS one\nRUN first\nFROM scratch AS two\nCOPY --from=one / /\nRUN second\nFROM "
      "scratch\nCOPY --from=two / /\n";
  sandbox_.script("second",
                  {.act = [&](const SandboxSpec&) { stop_.request_stop(); }, .until_stopped = true});
  build(file);
  stop_ = std::stop_source();
  sandbox_.script("second", {});
  build(file);
  EXPECT_THAT(sandbox_.commands(), ElementsAre("first", "second", "second"));
}

TEST_F(BuildRunSecrets, ReachTheStepAndNothingElse) {
  build(
      "FROM scratch AS build\nRUN --mount=type=secret,id=key,target=/etc/key,mode=0440,uid=3 "
      "--mount=type=secret,id=token,env=TOKEN make\n"
      "FROM scratch\nCOPY --from=build /ran /app\n",
      {.secrets = {{"key", Secret("file secret")}, {"token", Secret("env secret")}}});
  const auto specs = sandbox_.specs();
  ASSERT_THAT(specs, SizeIs(1));
  ASSERT_THAT(specs[0].secrets, SizeIs(1));
  EXPECT_EQ(specs[0].secrets[0].dest, "/etc/key");
  EXPECT_EQ(specs[0].secrets[0].value.reveal(), "file secret");
  EXPECT_EQ(specs[0].secrets[0].uid, 3U);
  EXPECT_EQ(specs[0].secrets[0].mode, 0440U);
  ASSERT_THAT(specs[0].secret_env, SizeIs(1));
  EXPECT_EQ(specs[0].secret_env[0].first, "TOKEN");
  EXPECT_EQ(specs[0].secret_env[0].second.reveal(), "env secret");
  for (const std::string& variable : specs[0].env) EXPECT_THAT(variable, testing::Not(HasSubstr("secret")));
  for (const Digest& blob : store_->blobs().list())
    EXPECT_EQ(store_->blobs().read(blob).find("env secret"), std::string::npos);
}

TEST_F(BuildRunSecrets, AnotherValueIsNoReasonToRunAgain) {
  const char* file = "FROM scratch\nRUN --mount=type=secret,id=key make\n";
  build(file, {.secrets = {{"key", Secret("one")}}});
  build(file, {.secrets = {{"key", Secret("two")}}});
  EXPECT_THAT(sandbox_.commands(), SizeIs(1));
}

TEST_F(BuildRunSecrets, OptionalOneMayBeMissing) {
  build("FROM scratch\nRUN --mount=type=secret,id=key make\n");
  EXPECT_THAT(sandbox_.specs().at(0).secrets, IsEmpty());
}

TEST_F(BuildRunSecrets, RequiredOneThatIsMissingIsInvalidInputAtItsLine) {
  for (const char* form : {"id=key,required=true", "id=key,env=KEY,required=true"}) {
    const InvalidInput error =
        failure_of<InvalidInput>(concat("FROM scratch\nRUN --mount=type=secret,", form, " make\n"));
    EXPECT_THAT(error.what(), HasSubstr("\"key\""));
    EXPECT_THAT(error.hint(), HasSubstr("--secret id=key"));
    ASSERT_TRUE(error.location());
    EXPECT_EQ(error.location()->line, 2);
  }
  EXPECT_THAT(sandbox_.commands(), IsEmpty());
  EXPECT_THAT(store_->snapshots().list(), IsEmpty());
}

TEST_F(BuildRunCache, CachedPlatformSaysSoThoughItsSharedStepRanForAnother) {
  const char* file =
      "FROM --platform=$BUILDPLATFORM scratch AS tools\nRUN make tools\n"
      "FROM scratch\nARG TARGETARCH\nCOPY --from=tools /ran /app-$TARGETARCH\nRUN configure\n";
  build(file);
  const Ended tools = build("FROM scratch\nRUN make tools\n");
  store_->snapshots().remove(*tools.published.at(0).tree);  // as pruning does
  const Ended both = build(file, {.platforms = {"linux/amd64", "linux/386"}});
  EXPECT_EQ(both.lanes.at(0).mode, "cached");
  EXPECT_EQ(both.lanes.at(1).mode, "native");
}

}  // namespace
}  // namespace slipway
