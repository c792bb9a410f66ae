// Instructions that describe the image.
#include <gmock/gmock.h>

#include "dockerfile/lowering.h"

namespace slipway::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Words = std::vector<std::string>;

TEST(LowerConfig, CommandsInBothForms) {
  const ImageConfig config = config_of("FROM alpine\nENTRYPOINT [\"/e\", \"a b\"]\nCMD run $X\n");
  EXPECT_EQ(config.config.entrypoint, (Words{"/e", "a b"}));
  EXPECT_EQ(config.config.cmd, (Words{"/bin/sh", "-c", "run $X"}));
  EXPECT_THAT(history_of(config), ElementsAre("ADD rootfs.tar", "ENTRYPOINT [\"/e\" \"a b\"]",
                                              "CMD [\"/bin/sh\" \"-c\" \"run $X\"]"));
  EXPECT_TRUE(config.history[1].empty_layer);
}

TEST(LowerConfig, EntrypointResetsTheBasesCmd) {
  EXPECT_FALSE(config_of("FROM alpine\nENTRYPOINT [\"/e\"]\n").config.cmd);
  EXPECT_EQ(config_of("FROM alpine\nCMD [\"c\"]\nENTRYPOINT [\"/e\"]\n").config.cmd, Words{"c"});
  EXPECT_FALSE(config_of("FROM alpine AS a\nCMD [\"c\"]\nFROM a\nENTRYPOINT [\"/e\"]\n").config.cmd);
  EXPECT_EQ(config_of("FROM alpine\n").config.cmd, Words{"/bin/sh"});
}

TEST(LowerConfig, ShellHoldsForLaterCommands) {
  const ImageConfig config = config_of("FROM alpine\nSHELL [\"/bin/bash\", \"-c\"]\nCMD x\n");
  EXPECT_EQ(config.config.cmd, (Words{"/bin/bash", "-c", "x"}));
  EXPECT_EQ(config.config.shell, (Words{"/bin/bash", "-c"}));
}

TEST(LowerConfig, LabelsOfTheCallerWin) {
  auto options = options_for({"linux/amd64"});
  options.labels = {{"a", "caller"}};
  const auto lowered = lower_text("FROM alpine\nENV V=1\nLABEL a=b \"c d\"=\"e $V\" f.$V=g\n", options);
  EXPECT_THAT(lowered.lanes[0].config.config.labels,
              ElementsAre(std::pair<const std::string, std::string>("a", "caller"),
                          std::pair<const std::string, std::string>("c d", "e 1"),
                          std::pair<const std::string, std::string>("f.1", "g")));
}

TEST(LowerConfig, WorkdirChainsAndMakesALayer) {
  const auto lowered =
      lower_text("FROM alpine\nWORKDIR /a\nWORKDIR b/../c\nWORKDIR /\nUSER app:staff\nWORKDIR d\n");
  const ImageConfig& config = lowered.lanes[0].config;
  EXPECT_EQ(config.config.working_dir, "/d");
  EXPECT_THAT(history_of(config), ElementsAre("ADD rootfs.tar", "WORKDIR /a", "WORKDIR /a/c", "WORKDIR /",
                                              "USER app:staff", "WORKDIR /d"));
  EXPECT_FALSE(config.history[2].empty_layer);
  EXPECT_TRUE(config.history[3].empty_layer);
  const auto ops = ops_of<FileOp>(lowered);
  ASSERT_EQ(ops.size(), 3U);
  const auto& first = std::get<MkdirAction>(ops[0].actions[0]);
  EXPECT_EQ(first.path, "/a");
  EXPECT_EQ(first.mode, 0755U);
  EXPECT_TRUE(first.make_parents);
  EXPECT_EQ(first.owner, (Owner{"0", "0"}));
  EXPECT_EQ(std::get<MkdirAction>(ops[2].actions[0]).owner, (Owner{"app", "staff"}));
}

TEST(LowerConfig, PortsAreNormalised) {
  const ImageConfig config = config_of("FROM alpine\nENV P=\"80 53/UDP\"\nEXPOSE $P 8000-8002 80\n");
  EXPECT_THAT(config.config.exposed_ports,
              ElementsAre("53/udp", "80/tcp", "8000/tcp", "8001/tcp", "8002/tcp"));
  const auto lowered = lower_text("FROM alpine\nEXPOSE 127.0.0.1:80:8080\n");
  EXPECT_THAT(lowered.lanes[0].config.config.exposed_ports, ElementsAre("8080/tcp"));
}

TEST(LowerConfig, TheSmallOnes) {
  const ImageConfig config = config_of(
      "FROM alpine\nMAINTAINER A B <a@b>\nSTOPSIGNAL sigint\nVOLUME /a $PATH\nVOLUME [\"/a\", \"/c "
      "d\"]\nUSER 1000:1000\n");
  EXPECT_EQ(config.author, "A B <a@b>");
  EXPECT_EQ(config.config.stop_signal, "sigint");
  EXPECT_THAT(config.config.volumes, ElementsAre("/a", "/usr/bin:/bin", "/c d"));
  EXPECT_EQ(config.config.user, "1000:1000");
}

TEST(LowerConfig, Healthchecks) {
  const ImageConfig config = config_of(
      "FROM alpine\nHEALTHCHECK --interval=1m30s --timeout=1.5s --start-period=500ms --start-interval=2s "
      "--retries=4 \\\n  CMD curl localhost\n");
  ASSERT_TRUE(config.config.healthcheck);
  const HealthCheck& check = *config.config.healthcheck;
  EXPECT_EQ(check.test, (Words{"CMD-SHELL", "curl localhost"}));
  EXPECT_EQ(check.interval_ns, 90'000'000'000);
  EXPECT_EQ(check.timeout_ns, 1'500'000'000);
  EXPECT_EQ(check.start_period_ns, 500'000'000);
  EXPECT_EQ(check.start_interval_ns, 2'000'000'000);
  EXPECT_EQ(check.retries, 4);
  EXPECT_EQ(config_of("FROM alpine\nHEALTHCHECK CMD [\"a\", \"b\"]\n").config.healthcheck->test,
            (Words{"CMD", "a", "b"}));
  EXPECT_EQ(config_of("FROM alpine\nHEALTHCHECK none\n").config.healthcheck->test, Words{"NONE"});
}

TEST(LowerConfig, BaseIsKeptWithoutItsCreationTime) {
  const ImageConfig config = config_of("FROM alpine\n");
  EXPECT_EQ(config.created, "");
  EXPECT_EQ(config.diff_ids.size(), 1U);
  EXPECT_EQ(config.history.front().created, "2024-05-01T12:00:00Z");
}

TEST(LowerConfig, ABaseWithoutPathGetsOne) {
  FakeImageResolver images;
  images.add("bare", {"linux/amd64"});
  EXPECT_THAT(lower_text("FROM bare\n", options_for({"linux/amd64"}), images).lanes[0].config.config.env,
              ElementsAre("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
}

}  // namespace
}  // namespace slipway::testing
