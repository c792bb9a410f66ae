// Stages: which are built, what they share between platforms, what a stage on a stage gets.
#include <gmock/gmock.h>

#include <algorithm>

#include "base/strings.h"
#include "dockerfile/lowering.h"

namespace slipway::testing {
namespace {

using dockerfile::Lowered;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const char* const kCross =
    "FROM --platform=$BUILDPLATFORM golang AS build\n"
    "WORKDIR /src\n"
    "COPY . .\n"
    "RUN make docs\n"
    "FROM --platform=$BUILDPLATFORM build AS cross\n"
    "ARG TARGETARCH\n"
    "RUN GOARCH=$TARGETARCH go build\n"
    "FROM alpine\n"
    "COPY --from=build /src/docs /docs\n"
    "COPY --from=cross /src/app /app\n";

std::size_t shared_by(const Lowered& lowered, std::size_t lanes) {
  return static_cast<std::size_t>(
      std::count_if(lowered.graph.vertices().begin(), lowered.graph.vertices().end(),
                    [&](const Vertex& vertex) { return vertex.lanes.size() == lanes; }));
}

TEST(LowerStages, BuildPlatformStagesAreOneForAllLanes) {
  const Lowered lowered = lower_text(kCross, options_for({"linux/amd64", "linux/arm64"}));
  // Shared: FROM golang, WORKDIR, context, COPY, RUN make docs. Per lane: go build, FROM alpine, two COPYs.
  EXPECT_EQ(shared_by(lowered, 2), 5U);
  EXPECT_EQ(shared_by(lowered, 1), 8U);
  EXPECT_THAT(names_of(lowered),
              ElementsAre(HasSubstr("[linux/amd64 build 1/4] FROM docker.io/library/golang:latest@sha256:"),
                          "[linux/amd64 build 2/4] WORKDIR /src", "[internal] load build context",
                          "[linux/amd64 build 3/4] COPY . .", "[linux/amd64 build 4/4] RUN make docs",
                          "[linux/amd64 cross 1/1] RUN GOARCH=amd64 go build",
                          HasSubstr("[linux/amd64 stage-2 1/3] FROM docker.io/library/alpine:latest@sha256:"),
                          "[linux/amd64 stage-2 2/3] COPY --from=build /src/docs /docs",
                          "[linux/amd64 stage-2 3/3] COPY --from=cross /src/app /app",
                          "[linux/amd64->arm64 cross 1/1] RUN GOARCH=arm64 go build",
                          HasSubstr("[linux/arm64 stage-2 1/3] FROM docker.io/library/alpine:latest@sha256:"),
                          "[linux/arm64 stage-2 2/3] COPY --from=build /src/docs /docs",
                          "[linux/arm64 stage-2 3/3] COPY --from=cross /src/app /app"));
  ASSERT_EQ(lowered.lanes.size(), 2U);
  EXPECT_EQ(lowered.lanes[1].config.platform.str(), "linux/arm64");
  EXPECT_NE(lowered.lanes[0].result, lowered.lanes[1].result);
}

TEST(LowerStages, ImagesAreExpectedBeforeAnyIsAskedForAndThoseOnly) {
  const dockerfile::Dockerfile file = dockerfile::parse("Dockerfile",
                                                        "ARG BASE=alpine\n"
                                                        "FROM golang AS unneeded\n"
                                                        "FROM --platform=$BUILDPLATFORM golang:1 AS build\n"
                                                        "RUN --mount=from=golang:tools,target=/t make\n"
                                                        "FROM $BASE\n"
                                                        "COPY --from=build /app /app\n"
                                                        "COPY --from=alpine:certs /etc/ssl /etc/ssl\n");
  FakeImageResolver images = usual_images();
  for (const char* name : {"golang:1", "golang:tools", "alpine:certs"})
    images.add(name, {"linux/amd64", "linux/arm64"});
  dockerfile::lower(file, options_for({"linux/amd64", "linux/arm64"}), images, {});
  const auto once = [](std::vector<std::string> names) {
    std::ranges::sort(names);
    names.erase(std::ranges::unique(names).begin(), names.end());
    return names;
  };
  EXPECT_THAT(once(images.expected),
              ElementsAre("alpine:certs linux/amd64", "alpine:certs linux/arm64", "alpine:latest linux/amd64",
                          "alpine:latest linux/arm64", "golang:1 linux/amd64", "golang:tools linux/amd64",
                          "golang:tools linux/arm64"));
  EXPECT_EQ(once(images.expected), once(images.asked));
}

TEST(LowerStages, TargetPlatformDeclaredInASharedStageSplitsIt) {
  const Lowered lowered = lower_text(
      "FROM --platform=$BUILDPLATFORM golang AS b\nARG TARGETPLATFORM\nRUN a\nFROM scratch\nCOPY --from=b /x "
      "/x\n",
      options_for({"linux/amd64", "linux/arm64"}));
  const auto runs = ops_of<ExecOp>(lowered);
  ASSERT_EQ(runs.size(), 2U);
  EXPECT_THAT(runs[0].env, Contains("TARGETPLATFORM=linux/amd64"));
  EXPECT_THAT(runs[1].env, Contains("TARGETPLATFORM=linux/arm64"));
}

TEST(LowerStages, FilesFromTheContextIntoNothingAreShared) {
  const Lowered lowered =
      lower_text("FROM scratch\nCOPY a /a\n", options_for({"linux/amd64", "linux/arm64"}));
  EXPECT_EQ(lowered.graph.vertices().size(), 2U);
  EXPECT_EQ(lowered.lanes[0].result, lowered.lanes[1].result);
  EXPECT_EQ(lowered.lanes[1].config.platform.str(), "linux/arm64");
}

TEST(LowerStages, OnlyWhatTheTargetNeedsIsResolvedAndLowered) {
  FakeImageResolver images = usual_images();
  const auto file = dockerfile::parse("Dockerfile",
                                      "FROM golang AS unused\nRUN x\nFROM nowhere AS broken\nFROM alpine AS "
                                      "a\nRUN a\nFROM a AS b\nRUN b\nFROM golang\n");
  auto options = options_for({"linux/amd64"});
  options.target = "B";
  const Lowered lowered = dockerfile::lower(file, options, images, {});
  EXPECT_THAT(images.asked, ElementsAre("alpine:latest linux/amd64"));
  EXPECT_EQ(ops_of<ExecOp>(lowered).size(), 2U);
  EXPECT_EQ(lowered.lanes[0].result, lowered.graph.vertices().back().digest);
}

TEST(LowerStages, TargetMayBeAnIndex) {
  auto options = options_for({"linux/amd64"});
  options.target = "0";
  EXPECT_EQ(ops_of<ExecOp>(lower_text("FROM alpine\nRUN a\nFROM alpine\nRUN b\n", options)).size(), 1U);
}

TEST(LowerStages, EachImageIsResolvedOncePerPlatform) {
  FakeImageResolver images = usual_images();
  const auto file = dockerfile::parse(
      "Dockerfile", "FROM alpine AS a\nFROM alpine:latest AS b\nCOPY --from=a / /\nCOPY --from=alpine / /\n");
  dockerfile::lower(file, options_for({"linux/amd64", "linux/arm64"}), images, {});
  EXPECT_THAT(images.asked, ElementsAre("alpine:latest linux/amd64", "alpine:latest linux/arm64"));
}

TEST(LowerStages, NamesHaveThePlatformOnlyWhenItMatters) {
  EXPECT_THAT(names_of(lower_text("FROM alpine\nRUN a\n")),
              ElementsAre(HasSubstr("[1/2] FROM "), "[2/2] RUN a"));
  EXPECT_THAT(names_of(lower_text("FROM alpine\nRUN a\n", options_for({"linux/arm64"}))),
              ElementsAre(HasSubstr("[linux/arm64 1/2] FROM "), "[linux/arm64 2/2] RUN a"));
}

TEST(LowerStages, VerticesKnowTheirInstruction) {
  const Lowered lowered = lower_text("FROM alpine\n\nRUN a \\\n  b\n");
  const auto& info = lowered.graph.vertices().back().info;
  ASSERT_TRUE(info.location);
  EXPECT_EQ(info.location->line, 3);
  EXPECT_EQ(info.location->line_text, "RUN a \\");
}

TEST(LowerStages, ImageSourcesArePinnedAndHaveTheirPlatform) {
  const Lowered lowered = lower_text("FROM alpine\n", options_for({"linux/arm64"}));
  const Vertex& vertex = lowered.graph.vertices().front();
  EXPECT_EQ(vertex.op.platform->str(), "linux/arm64");
  EXPECT_THAT(std::get<SourceOp>(vertex.op.what).identifier,
              ::testing::StartsWith("docker-image://docker.io/library/alpine:latest@sha256:"));
  EXPECT_EQ(lowered.lanes[0].result, vertex.digest);
}

TEST(LowerStages, AStageOnAStageInheritsConfigHistoryAndArgs) {
  const Lowered lowered =
      lower_text("FROM alpine AS a\nARG X=1\nENV E=2\nUSER me\nWORKDIR /w\nRUN a\nFROM a\nRUN echo $X\n");
  const ImageConfig& config = lowered.lanes[0].config;
  EXPECT_EQ(config.config.user, "me");
  EXPECT_EQ(config.config.working_dir, "/w");
  EXPECT_THAT(config.config.env, ElementsAre("PATH=/usr/bin:/bin", "E=2"));
  EXPECT_THAT(history_of(config),
              ElementsAre("ADD rootfs.tar", "ARG X=1", "ENV E=2", "USER me", "WORKDIR /w",
                          "RUN |1 X=1 /bin/sh -c a # slipway", "RUN |1 X=1 /bin/sh -c echo $X # slipway"));
  EXPECT_EQ(lowered.lanes[0].base_layers, 1U);
  EXPECT_EQ(lowered.lanes[0].base_history, 1U);
  EXPECT_THAT(ops_of<ExecOp>(lowered).back().env, Contains("X=1"));
}

TEST(LowerStages, ScratchStartsWithNothing) {
  const Lowered lowered = lower_text("FROM scratch\nENV A=1\n");
  EXPECT_FALSE(lowered.lanes[0].result);
  EXPECT_EQ(lowered.lanes[0].base_layers, 0U);
  EXPECT_THAT(lowered.lanes[0].config.config.env,
              ElementsAre("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "A=1"));
  EXPECT_TRUE(lowered.graph.vertices().empty());
}

TEST(LowerStages, PlatformOnAStageReferenceIsIgnoredWithAWarning) {
  const Lowered lowered = lower_text("FROM alpine AS a\nFROM --platform=linux/arm64 a\nRUN x\n");
  EXPECT_EQ(lowered.graph.vertices().back().op.platform->str(), "linux/amd64");
  EXPECT_THAT(lowered.warnings, ElementsAre(HasSubstr("Dockerfile:2: --platform is ignored")));
}

TEST(LowerStages, AFinalStageForAnotherPlatformIsTold) {
  const Lowered lowered = lower_text("FROM --platform=linux/amd64 alpine\n", options_for({"linux/arm64"}));
  EXPECT_EQ(lowered.lanes[0].platform.str(), "linux/arm64");
  EXPECT_EQ(lowered.lanes[0].config.platform.str(), "linux/arm64");
  EXPECT_EQ(lowered.warnings.size(), 1U);
}

TEST(LowerStages, ImagesCopiedFromAreTheTargets) {
  FakeImageResolver images = usual_images();
  const auto file =
      dockerfile::parse("Dockerfile", "FROM --platform=$BUILDPLATFORM golang\nCOPY --from=alpine /a /b\n");
  dockerfile::lower(file, options_for({"linux/arm64"}), images, {});
  EXPECT_THAT(images.asked, ElementsAre("golang:latest linux/amd64", "alpine:latest linux/arm64"));
}

TEST(LowerStages, LongChainsOfStagesAreFine) {
  std::string text = "FROM alpine AS s0\n";
  for (int i = 1; i < 2'000; ++i) text += concat("FROM s", i - 1, " AS s", i, "\n");
  EXPECT_TRUE(lower_text(text).lanes[0].result);
}

TEST(LowerStages, LongChainsKeepOneStateHoweverMuchIsInIt) {
  std::string text = "FROM alpine AS s0\nENV";
  for (int i = 0; i < 4'000; ++i) text += concat(" e", i, "=x");
  text += '\n';
  for (int i = 0; i < 2'000; ++i) text += concat("FROM s", i, " AS s", i + 1, "\n");
  EXPECT_EQ(config_of(text).config.env.size(), 4'001U);
}

TEST(LowerStages, AStageMayBeBuiltOnAndReadFromInAnyOrder) {
  const Lowered lowered = lower_text(
      "FROM alpine AS a\nENV A=1\nRUN a\n"
      "FROM a AS b\nCOPY --from=a /x /y\n"
      "FROM a AS c\nENV C=$A\n"
      "FROM c\nCOPY --from=a /x /y\nCOPY --from=b /x /y\nCOPY --from=c /x /y\n");
  EXPECT_THAT(lowered.lanes.front().config.config.env, ElementsAre("PATH=/usr/bin:/bin", "A=1", "C=1"));
  EXPECT_TRUE(lowered.lanes.front().result);
}

TEST(LowerStages, NoCacheMarksStepsOnly) {
  auto options = options_for({"linux/amd64"});
  options.no_cache = true;
  const Lowered lowered = lower_text("FROM alpine\nCOPY a /a\nRUN x\n", options);
  for (const Vertex& vertex : lowered.graph.vertices())
    EXPECT_EQ(vertex.info.ignore_cache, !std::holds_alternative<SourceOp>(vertex.op.what))
        << vertex.info.name;
}

TEST(LowerStages, NoCacheMayBeForStagesByName) {
  auto options = options_for({"linux/amd64"});
  options.no_cache_stages = {"Build"};
  const auto lowered =
      lower_text("FROM alpine AS build\nRUN a\nFROM alpine\nCOPY --from=build /a /b\n", options);
  for (const Vertex& vertex : lowered.graph.vertices())
    EXPECT_EQ(vertex.info.ignore_cache, vertex.info.name == "[build 2/2] RUN a") << vertex.info.name;
}

TEST(LowerStages, StopIsHeard) {
  FakeImageResolver images = usual_images();
  std::stop_source source;
  source.request_stop();
  EXPECT_THROW(dockerfile::lower(dockerfile::parse("Dockerfile", "FROM alpine\n"),
                                 options_for({"linux/amd64"}), images, source.get_token()),
               Cancelled);
}

}  // namespace
}  // namespace slipway::testing
