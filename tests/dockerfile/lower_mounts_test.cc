// RUN --mount, but for secrets (lower_run_test.cc).
#include <gmock/gmock.h>

#include "dockerfile/lowering.h"

namespace slipway::testing {
namespace {

using dockerfile::Lowered;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

ExecOp run_of(const Lowered& lowered) { return ops_of<ExecOp>(lowered).back(); }

/// The mount at `dest` of the last step.
Mount mount_at(const Lowered& lowered, std::string_view dest) {
  for (const Mount& mount : run_of(lowered).mounts)
    if (mount.dest == dest) return mount;
  ADD_FAILURE() << "nothing is mounted at " << dest;
  return {};
}

/// What a mount of the last step shows.
const Vertex& tree_of(const Lowered& lowered, const Mount& mount) {
  const Vertex& step = lowered.graph.vertices().back();
  return lowered.graph.at(step.op.inputs.at(static_cast<std::size_t>(mount.input)).vertex);
}

TEST(LowerMounts, BindShowsAStageReadOnly) {
  const Lowered lowered = lower_text(
      "FROM golang AS tools\nRUN make\nFROM alpine\nARG D=bin\nRUN "
      "--mount=from=tools,source=/opt/$D,target=/t/$D x\n");
  const Mount mount = mount_at(lowered, "/t/bin");
  EXPECT_EQ(mount.type, MountType::Bind);
  EXPECT_EQ(mount.selector, "/opt/bin");
  EXPECT_TRUE(mount.readonly);
  EXPECT_EQ(mount.output, kNoOutput);
  EXPECT_EQ(tree_of(lowered, mount).info.name, "[tools 2/2] RUN make");
}

TEST(LowerMounts, BindThatIsWrittenToDropsWhatIsWritten) {
  const Mount mount =
      mount_at(lower_text("FROM alpine AS a\nFROM alpine\nRUN --mount=from=a,target=/t,rw x\n"), "/t");
  EXPECT_FALSE(mount.readonly);
  EXPECT_EQ(mount.output, kNoOutput);
}

TEST(LowerMounts, BindOfTheStagesOwnBaseIsTheSameInput) {
  const Lowered lowered = lower_text("FROM alpine AS a\nFROM a\nRUN --mount=from=a,target=/t x\n");
  EXPECT_EQ(lowered.graph.vertices().back().op.inputs.size(), 1U);
  EXPECT_EQ(mount_at(lowered, "/t").input, 0);
}

TEST(LowerMounts, BindOfTheContextReadsTheContextItself) {
  auto options = options_for({"linux/amd64"});
  options.ignore_patterns = {"*.o"};
  const Lowered lowered =
      lower_text("FROM alpine\nWORKDIR /w\nRUN --mount=source=src/lib,target=lib x\n", options);
  const Mount mount = mount_at(lowered, "/w/lib");
  EXPECT_EQ(mount.selector, "/src/lib");
  EXPECT_TRUE(mount.readonly);
  EXPECT_EQ(std::get<SourceOp>(tree_of(lowered, mount).op.what).identifier, "local://context");
}

TEST(LowerMounts, BindOfTheWholeContext) {
  const Lowered lowered = lower_text("FROM alpine\nWORKDIR /w\nRUN --mount=target=. x\n");
  EXPECT_EQ(mount_at(lowered, "/w").selector, "");
}

TEST(LowerMounts, BindOfAnImageIsTheTargetPlatforms) {
  FakeImageResolver images = usual_images();
  const auto file = dockerfile::parse(
      "Dockerfile", "FROM --platform=$BUILDPLATFORM golang\nRUN --mount=from=alpine,target=/t x\n");
  dockerfile::lower(file, options_for({"linux/arm64"}), images, {});
  EXPECT_THAT(images.asked, ElementsAre("golang:latest linux/amd64", "alpine:latest linux/arm64"));
}

TEST(LowerMounts, BindNeedsItsStage) {
  const Lowered lowered = lower_text(
      "FROM golang AS unused\nRUN u\nFROM golang AS a\nRUN a\nFROM alpine\nRUN --mount=from=a,target=/t x\n");
  EXPECT_EQ(ops_of<ExecOp>(lowered).size(), 2U);
}

TEST(LowerMounts, FromMustComeBefore) {
  const InvalidInput error =
      refusal_of("FROM alpine\nRUN --mount=from=b,target=/t x\nFROM alpine AS b\nCOPY --from=0 / /\n");
  EXPECT_THAT(error.what(), HasSubstr("comes later"));
  EXPECT_EQ(error.location()->line, 2);
  EXPECT_EQ(refusal_of("FROM alpine AS build\nFROM alpine\nRUN --mount=from=biuld,target=/t x\n").hint(),
            "did you mean the stage \"build\"?");
}

TEST(LowerMounts, CachesBelongToTargetAndPlatform) {
  const Lowered lowered = lower_text("FROM alpine\nRUN --mount=type=cache,target=/root/.cache/ x\n",
                                     options_for({"linux/amd64", "linux/arm64"}));
  const auto runs = ops_of<ExecOp>(lowered);
  ASSERT_EQ(runs.size(), 2U);
  EXPECT_EQ(runs[0].mounts[1].dest, "/root/.cache");
  EXPECT_EQ(runs[0].mounts[1].input, kNoInput);
  EXPECT_FALSE(runs[0].mounts[1].readonly);
  EXPECT_EQ(runs[0].mounts[1].cache, (CacheMount{"/root/.cache@linux/amd64", CacheSharing::Shared}));
  EXPECT_EQ(runs[1].mounts[1].cache->id, "/root/.cache@linux/arm64");
}

TEST(LowerMounts, CachesWithAnIdAreOneForAllPlatforms) {
  auto options = options_for({"linux/arm64"});
  const char* const text =
      "FROM alpine\nARG I=deps\nRUN --mount=type=cache,id=$I,target=/c,sharing=locked,ro x\n";
  const Mount mount = mount_at(lower_text(text, options), "/c");
  EXPECT_EQ(mount.cache, (CacheMount{"deps", CacheSharing::Locked}));
  EXPECT_TRUE(mount.readonly);
  options.build_args = {{"BUILDKIT_CACHE_MOUNT_NS", "team"}};
  EXPECT_EQ(mount_at(lower_text(text, options), "/c").cache->id, "team/deps");
}

TEST(LowerMounts, CachesStartAsTheirOwnersDirectory) {
  const Lowered lowered = lower_text("FROM alpine\nRUN --mount=type=cache,target=/c,uid=1000,mode=0700 x\n");
  const Mount mount = mount_at(lowered, "/c");
  EXPECT_EQ(mount.selector, "/cache");
  const auto& directory =
      std::get<MkdirAction>(std::get<FileOp>(tree_of(lowered, mount).op.what).actions.at(0));
  EXPECT_EQ(directory.path, "/cache");
  EXPECT_EQ(directory.mode, 0700U);
  EXPECT_EQ(directory.owner, (Owner{"1000", "0"}));
}

TEST(LowerMounts, CachesStartAsAStagesDirectory) {
  const Lowered lowered = lower_text(
      "FROM golang AS a\nFROM alpine\nRUN --mount=type=cache,target=/c,from=a,source=/go,uid=5 x\n");
  EXPECT_EQ(mount_at(lowered, "/c").selector, "/go");
  EXPECT_THAT(tree_of(lowered, mount_at(lowered, "/c")).info.name,
              HasSubstr("FROM docker.io/library/golang"));
}

TEST(LowerMounts, TmpfsHasASize) {
  const Mount mount = mount_at(lower_text("FROM alpine\nRUN --mount=type=tmpfs,target=/t,size=1m x\n"), "/t");
  EXPECT_EQ(mount.type, MountType::Tmpfs);
  EXPECT_EQ(mount.tmpfs_size, 1 << 20);
  EXPECT_EQ(mount.input, kNoInput);
}

TEST(LowerMounts, AgentsHaveTheirSocketsInTheEnvironment) {
  const ExecOp run = run_of(
      lower_text("FROM alpine\nRUN --mount=type=ssh --mount=type=ssh,id=k,required,mode=0666,uid=7 x\n"));
  ASSERT_EQ(run.mounts.size(), 3U);
  EXPECT_EQ(run.mounts[1].dest, "/run/buildkit/ssh_agent.0");
  EXPECT_EQ(run.mounts[1].ssh, (SshMount{"default", 0, 0, 0600, true}));
  EXPECT_EQ(run.mounts[2].dest, "/run/buildkit/ssh_agent.1");
  EXPECT_EQ(run.mounts[2].ssh, (SshMount{"k", 7, 0, 0666, false}));
  EXPECT_THAT(run.env, Contains("SSH_AUTH_SOCK=/run/buildkit/ssh_agent.0"));
}

TEST(LowerMounts, AnAgentsTargetAndVariableMayBeChosen) {
  const ExecOp run =
      run_of(lower_text("FROM alpine\nENV SSH_AUTH_SOCK=/mine\nRUN --mount=type=ssh,target=/s x\n"));
  EXPECT_EQ(run.mounts[1].dest, "/s");
  EXPECT_THAT(run.env, Contains("SSH_AUTH_SOCK=/mine"));
  EXPECT_THAT(run.env, Not(Contains("SSH_AUTH_SOCK=/s")));
}

TEST(LowerMounts, OuterOnesComeFirstAndFilesLast) {
  const ExecOp run =
      run_of(lower_text("FROM alpine\nRUN --mount=type=secret,id=s,target=/a/s "
                        "--mount=type=tmpfs,target=/a/b --mount=type=tmpfs,target=/a x\n"));
  ASSERT_EQ(run.mounts.size(), 4U);
  EXPECT_EQ(run.mounts[0].dest, "/");
  EXPECT_EQ(run.mounts[1].dest, "/a");
  EXPECT_EQ(run.mounts[2].dest, "/a/b");
  EXPECT_EQ(run.mounts[3].dest, "/a/s");
}

TEST(LowerMounts, VariablesMayHoldAnyOption) {
  const Mount mount = mount_at(
      lower_text(
          "FROM alpine\nARG T=cache U=5 S=private\nRUN --mount=type=$T,target=/c,uid=$U,sharing=$S x\n"),
      "/c");
  EXPECT_EQ(mount.type, MountType::Cache);
  EXPECT_EQ(mount.cache->sharing, CacheSharing::Private);
  EXPECT_EQ(mount.selector, "/cache");
}

TEST(LowerMounts, TheRootIsNoTarget) {
  const InvalidInput error = refusal_of("FROM alpine\nRUN --mount=type=tmpfs,target=/a/.. x\n");
  EXPECT_THAT(error.what(), HasSubstr("root directory"));
  EXPECT_EQ(error.location()->column, 5);
  EXPECT_THAT(refusal_of("FROM alpine\nRUN --mount=from=0,source=/x x\n").what(), HasSubstr("itself"));
}

TEST(LowerMounts, SecurityAndDevicesReachTheStep) {
  const ExecOp run =
      run_of(lower_text("FROM alpine\nRUN --security=insecure --device=v.com/c=n,required x\n"));
  EXPECT_EQ(run.security, SecurityMode::Insecure);
  EXPECT_THAT(run.devices, ElementsAre(DeviceRequest{"v.com/c=n", false}));
}

TEST(LowerMounts, NamesHideSecretsInVariables) {
  EXPECT_EQ(
      names_of(lower_text("FROM alpine\nENV T=plain\nRUN --mount=type=secret,id=t,env=T echo $T \"$U\"\n"))
          .back(),
      "[2/2] RUN --mount=type=secret,id=t,env=T echo **** \"$U\"");
}

}  // namespace
}  // namespace slipway::testing
