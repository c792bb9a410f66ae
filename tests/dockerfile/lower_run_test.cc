#include <gmock/gmock.h>

#include "dockerfile/lowering.h"

namespace slipway::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

ExecOp run_of(std::string_view text) { return ops_of<ExecOp>(lower_text(text)).back(); }

TEST(LowerRun, ShellFormRunsUnderTheShell) {
  EXPECT_THAT(run_of("FROM alpine\nRUN echo \"$HOME\"  x\n").args,
              ElementsAre("/bin/sh", "-c", "echo \"$HOME\"  x"));
  EXPECT_THAT(run_of("FROM alpine\nSHELL [\"/bin/bash\", \"-eo\", \"pipefail\", \"-c\"]\nRUN a | b\n").args,
              ElementsAre("/bin/bash", "-eo", "pipefail", "-c", "a | b"));
}

TEST(LowerRun, ExecFormRunsAsItIs) {
  EXPECT_THAT(run_of("FROM alpine\nRUN [\"a\", \"$b\"]\n").args, ElementsAre("a", "$b"));
}

TEST(LowerRun, HasRootMountAndPlatform) {
  const auto lowered = lower_text("FROM alpine\nUSER me\nWORKDIR /w\nRUN x\n");
  const Vertex& vertex = lowered.graph.vertices().back();
  const auto& run = std::get<ExecOp>(vertex.op.what);
  EXPECT_EQ(vertex.op.platform->str(), "linux/amd64");
  ASSERT_EQ(vertex.op.inputs.size(), 1U);
  ASSERT_EQ(run.mounts.size(), 1U);
  EXPECT_EQ(run.mounts[0].dest, "/");
  EXPECT_EQ(run.mounts[0].input, 0);
  EXPECT_EQ(run.mounts[0].output, 0);
  EXPECT_EQ(run.cwd, "/w");
  EXPECT_EQ(run.user, "me");
  EXPECT_EQ(run.network, NetworkMode::Sandbox);
  EXPECT_FALSE(run.proxy);
}

TEST(LowerRun, OnScratchHasNoInput) {
  const auto lowered = lower_text("FROM scratch\nRUN [\"/x\"]\n");
  EXPECT_TRUE(lowered.graph.vertices().back().op.inputs.empty());
  EXPECT_EQ(ops_of<ExecOp>(lowered)[0].mounts[0].input, kNoInput);
}

TEST(LowerRun, NetworkModes) {
  EXPECT_EQ(run_of("FROM alpine\nRUN --network=none x\n").network, NetworkMode::None);
  EXPECT_EQ(run_of("FROM alpine\nRUN --network=host x\n").network, NetworkMode::Host);
  EXPECT_EQ(run_of("FROM alpine\nRUN --network=default x\n").network, NetworkMode::Sandbox);
}

TEST(LowerRun, SecretHasDefaults) {
  const ExecOp run = run_of("FROM alpine\nRUN --mount=type=secret,id=dir/token x\n");
  ASSERT_EQ(run.mounts.size(), 2U);
  EXPECT_EQ(run.mounts[1].type, MountType::Secret);
  EXPECT_EQ(run.mounts[1].dest, "/run/secrets/token");
  EXPECT_EQ(run.mounts[1].secret,
            (SecretMount{.id = "dir/token", .uid = 0, .gid = 0, .mode = 0400, .optional = true}));
  EXPECT_TRUE(run.secret_env.empty());
}

TEST(LowerRun, SecretTakesItsOptions) {
  const ExecOp run = run_of(
      "FROM alpine\nARG N=k\nWORKDIR /w\nRUN "
      "--mount=type=secret,id=$N,dst=etc/$N,required,mode=0440,uid=5,gid=6 x\n");
  EXPECT_EQ(run.mounts[1].dest, "/w/etc/k");
  EXPECT_EQ(run.mounts[1].secret,
            (SecretMount{.id = "k", .uid = 5, .gid = 6, .mode = 0440, .optional = false}));
}

TEST(LowerRun, SecretIdComesFromTheTarget) {
  EXPECT_EQ(run_of("FROM alpine\nRUN --mount=type=secret,target=/root/.npmrc x\n").mounts[1].secret->id,
            ".npmrc");
}

TEST(LowerRun, SecretForTheEnvironment) {
  const ExecOp run = run_of("FROM alpine\nRUN --mount=type=secret,id=t,env=TOKEN,required=true x\n");
  EXPECT_EQ(run.mounts.size(), 1U);
  EXPECT_THAT(run.secret_env, ElementsAre(SecretEnv{"t", "TOKEN", false}));
  EXPECT_EQ(run_of("FROM alpine\nRUN --mount=type=secret,id=t,env=TOKEN,target=/t x\n").mounts.size(), 2U);
}

TEST(LowerRun, HistoryNamesUsedArgsAndNoSecrets) {
  const auto lowered = lower_text("FROM alpine\nARG A=1\nARG B\nRUN --mount=type=secret,id=hidden make\n");
  EXPECT_EQ(lowered.lanes[0].config.history.back().created_by, "RUN |2 A=1 B= /bin/sh -c make # slipway");
  EXPECT_EQ(lowered.lanes[0].config.history.back().comment, "slipway.dockerfile");
  EXPECT_FALSE(lowered.lanes[0].config.history.back().empty_layer);
}

TEST(LowerRun, NameIsOneLineAsWritten) {
  EXPECT_EQ(names_of(lower_text("FROM alpine\nRUN --network=none a \\\n\tb\n")).back(),
            "[2/2] RUN --network=none a  b");
}

}  // namespace
}  // namespace slipway::testing
