// ARG and ENV: scopes, defaults, what wins, what is seen where.
#include <gmock/gmock.h>

#include "dockerfile/lowering.h"

namespace slipway::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

std::vector<std::string> run_env(std::string_view text,
                                 const dockerfile::LowerOptions& options = options_for({"linux/amd64"})) {
  return ops_of<ExecOp>(lower_text(text, options)).back().env;
}

TEST(LowerArgs, DefaultsAndGivenValues) {
  auto options = options_for({"linux/amd64"});
  options.build_args = {{"B", "given"}};
  EXPECT_THAT(run_env("FROM alpine\nARG A=1 B=2 C\nRUN x\n", options),
              ElementsAre("PATH=/usr/bin:/bin", "A=1", "B=given"));
}

TEST(LowerArgs, HoldFromTheirLineOn) {
  EXPECT_THAT(run_env("FROM alpine\nRUN x\nARG A=1\n"), Not(Contains("A=1")));
}

TEST(LowerArgs, OfAnotherStageAreUnknown) {
  EXPECT_THAT(run_env("FROM alpine AS a\nARG A=1\nFROM alpine\nCOPY --from=a / /\nRUN x\n"),
              Not(Contains("A=1")));
}

TEST(LowerArgs, GlobalsReachAStageThatDeclaresThem) {
  EXPECT_THAT(run_env("ARG V=3\nARG W=$V.1\nFROM alpine\nARG W\nRUN x\n"),
              ElementsAre("PATH=/usr/bin:/bin", "W=3.1"));
}

TEST(LowerArgs, GlobalSourceDateEpochIsTheImagesTimeUnlessTheBuildGivesOne) {
  auto options = options_for({"linux/amd64"});
  const std::string text = "ARG BASE=1700000000\nARG SOURCE_DATE_EPOCH=$BASE\nFROM alpine\n";
  EXPECT_EQ(lower_text(text, options).epoch, 1700000000);
  EXPECT_EQ(lower_text("FROM alpine\nARG SOURCE_DATE_EPOCH=5\n", options).epoch, std::nullopt);
  EXPECT_EQ(lower_text("ARG SOURCE_DATE_EPOCH=context\nFROM alpine\n", options).epoch, std::nullopt);
  options.build_args = {{"SOURCE_DATE_EPOCH", "7"}};
  EXPECT_EQ(lower_text(text, options).epoch, std::nullopt);
}

TEST(LowerArgs, GlobalsNameTheBase) {
  auto options = options_for({"linux/amd64"});
  EXPECT_NO_THROW(lower_text("ARG BASE=alpine\nFROM ${BASE}:latest\n", options));
  options.build_args = {{"BASE", "golang"}};
  FakeImageResolver images = usual_images();
  dockerfile::lower(dockerfile::parse("Dockerfile", "ARG BASE=alpine\nFROM $BASE\n"), options, images, {});
  EXPECT_THAT(images.asked, ElementsAre("golang:latest linux/amd64"));
}

TEST(LowerArgs, TheLaterOfEnvAndArgHolds) {
  auto options = options_for({"linux/amd64"});
  options.build_args = {{"A", "arg"}};
  EXPECT_THAT(run_env("FROM alpine\nARG A\nENV A=env\nRUN x\n", options),
              ElementsAre("PATH=/usr/bin:/bin", "A=env"));
  EXPECT_THAT(run_env("FROM alpine\nENV A=env\nARG A\nRUN x\n", options),
              ElementsAre("PATH=/usr/bin:/bin", "A=arg"));
  EXPECT_THAT(run_env("FROM alpine\nENV A=env\nARG A\nENV A=new\nARG A\nRUN x\n"),
              ElementsAre("PATH=/usr/bin:/bin", "A=new"));
  EXPECT_THAT(run_env("FROM alpine\nARG A\nENV A=env-$A\nRUN x\n", options),
              ElementsAre("PATH=/usr/bin:/bin", "A=env-arg"));
}

TEST(LowerArgs, ValuesAreExpanded) {
  EXPECT_THAT(run_env("FROM alpine\nENV E=1\nARG A=\"$E 2\"\nARG B=${A:+x}\nRUN x\n"),
              ElementsAre("PATH=/usr/bin:/bin", "E=1", "A=1 2", "B=x"));
}

TEST(LowerArgs, OneEnvInstructionSubstitutesOnce) {
  EXPECT_EQ(config_of("FROM alpine\nENV abc=hello\nENV abc=bye def=$abc\nENV ghi=$abc\n").config.env,
            (std::vector<std::string>{"PATH=/usr/bin:/bin", "abc=bye", "def=hello", "ghi=bye"}));
}

TEST(LowerArgs, LegacyEnvTakesTheRest) {
  EXPECT_THAT(config_of("FROM alpine\nENV A  b c=d \"e\"\n").config.env, Contains("A=b c=d e"));
}

TEST(LowerArgs, PlatformArgsMustBeDeclared) {
  EXPECT_THAT(run_env("FROM alpine\nRUN x\n", options_for({"linux/arm64"})),
              ElementsAre("PATH=/usr/bin:/bin"));
  FakeImageResolver images;
  images.add("alpine", {"linux/arm/v7"});
  const auto lowered = lower_text(
      "FROM alpine\nARG TARGETPLATFORM TARGETOS TARGETARCH TARGETVARIANT BUILDPLATFORM BUILDOS BUILDARCH "
      "BUILDVARIANT TARGETSTAGE\nRUN x\n",
      options_for({"linux/arm/v7"}), images);
  EXPECT_THAT(ops_of<ExecOp>(lowered).back().env,
              ElementsAre(StartsWith("PATH="), "TARGETPLATFORM=linux/arm/v7", "TARGETOS=linux",
                          "TARGETARCH=arm", "TARGETVARIANT=v7", "BUILDPLATFORM=linux/amd64", "BUILDOS=linux",
                          "BUILDARCH=amd64", "BUILDVARIANT=", "TARGETSTAGE=default"));
}

TEST(LowerArgs, ProxyReachesStepsUndeclaredAndStaysOutOfHistory) {
  auto options = options_for({"linux/amd64"});
  options.build_args = {
      {"HTTP_PROXY", "http://upper"}, {"http_proxy", "http://p:1"}, {"NO_PROXY", "localhost"}};
  const auto lowered = lower_text("FROM alpine\nRUN x\n", options);
  const ExecOp run = ops_of<ExecOp>(lowered).back();
  ASSERT_TRUE(run.proxy);
  EXPECT_EQ(run.proxy->http_proxy, "http://p:1");
  EXPECT_EQ(run.proxy->no_proxy, "localhost");
  EXPECT_EQ(run.env, std::vector<std::string>{"PATH=/usr/bin:/bin"});
  EXPECT_THAT(history_of(lowered.lanes[0].config),
              ElementsAre("ADD rootfs.tar", "RUN /bin/sh -c x # slipway"));
  EXPECT_THAT(lowered.warnings, IsEmpty());
}

TEST(LowerArgs, DeclaredProxyIsAnArgLikeOthers) {
  auto options = options_for({"linux/amd64"});
  options.build_args = {{"http_proxy", "p"}};
  EXPECT_THAT(run_env("FROM alpine\nARG http_proxy\nRUN x\n", options), Contains("http_proxy=p"));
}

TEST(LowerArgs, CallersProxyIsUsed) {
  auto options = options_for({"linux/amd64"});
  options.proxy = ProxyEnv{.https_proxy = "s"};
  EXPECT_EQ(ops_of<ExecOp>(lower_text("FROM alpine\nRUN x\n", options)).back().proxy, options.proxy);
}

TEST(LowerArgs, UnusedOnesAreTold) {
  auto options = options_for({"linux/amd64"});
  options.build_args = {
      {"VERSOIN", "1"}, {"SOURCE_DATE_EPOCH", "0"}, {"TARGETARCH", "x"}, {"https_proxy", "p"}, {"USED", "1"}};
  EXPECT_THAT(lower_text("FROM alpine AS other\nARG USED\nFROM alpine\nARG VERSION\n", options).warnings,
              ElementsAre("build argument VERSOIN is not used: no ARG in the Dockerfile declares it (did you "
                          "mean VERSION?)"));
}

TEST(LowerArgs, DoublingVariablesIsStopped) {
  std::string text = "FROM alpine\nENV A=0123456789\n";
  for (int i = 0; i < 40; ++i) text += "ENV A=$A$A\n";
  const InvalidInput error = refusal_of(text);
  EXPECT_THAT(error.what(), HasSubstr("1 MiB"));
  EXPECT_TRUE(error.location());
}

TEST(LowerArgs, ManyStepsWithLargeVariablesAreStopped) {
  std::string text = "FROM alpine\nENV A=0123456789abcdef\n";
  for (int i = 0; i < 15; ++i) text += "ENV A=$A$A\n";
  for (int i = 0; i < 10'000; ++i) text += "RUN x\n";
  EXPECT_THAT(refusal_of(text).what(), HasSubstr("too much text"));
}

}  // namespace
}  // namespace slipway::testing
