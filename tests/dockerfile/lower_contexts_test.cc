// Contexts that the caller gives names to: --build-context.
#include <gmock/gmock.h>

#include "dockerfile/lowering.h"

namespace slipway::testing {
namespace {

using dockerfile::Lowered;
using dockerfile::LowerOptions;
using dockerfile::NamedContext;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = NamedContext::Kind;

LowerOptions with_context(const std::string& name, Kind kind, const std::string& value) {
  LowerOptions out = options_for({"linux/amd64"});
  out.contexts[name] = {kind, value, {}};
  return out;
}

/// What was asked of the resolver.
std::vector<std::string> asked(std::string_view text, const LowerOptions& options) {
  FakeImageResolver images = usual_images();
  dockerfile::lower(dockerfile::parse("Dockerfile", text), options, images, {});
  return images.asked;
}

TEST(LowerContexts, AnImageTakesThePlaceOfAnImage) {
  const auto options = with_context("alpine", Kind::Image, "golang");
  for (const char* name : {"alpine", "alpine:latest", "docker.io/library/alpine", "library/alpine"})
    EXPECT_THAT(asked(concat("FROM ", name, "\n"), options), ElementsAre("golang:latest linux/amd64"))
        << name;
  EXPECT_THAT(asked("FROM scratch\nCOPY --from=alpine a b\n", options),
              ElementsAre("golang:latest linux/amd64"));
  EXPECT_THAT(asked("FROM golang\nRUN --mount=from=alpine,target=/a x\n", options),
              ElementsAre("golang:latest linux/amd64"));
}

TEST(LowerContexts, OtherTagsAreOtherImages) {
  FakeImageResolver images;
  images.add("alpine:3", {"linux/amd64"});
  const auto file = dockerfile::parse("Dockerfile", "FROM alpine:3\n");
  dockerfile::lower(file, with_context("alpine", Kind::Image, "golang"), images, {});
  EXPECT_THAT(images.asked, ElementsAre("alpine:3 linux/amd64"));
}

TEST(LowerContexts, MayBeForOnePlatform) {
  auto options = with_context("alpine::linux/arm64", Kind::Image, "golang");
  options.platforms.push_back(Platform::parse("linux/arm64"));
  EXPECT_THAT(asked("FROM alpine\n", options),
              ElementsAre("alpine:latest linux/amd64", "golang:latest linux/arm64"));
  options.contexts.clear();
  options.contexts["alpine::nonsense/x/y/z"] = {};
  EXPECT_THROW(asked("FROM alpine\n", options), UsageError);
}

TEST(LowerContexts, ADirectoryIsCopiedFrom) {
  auto options = with_context("src", Kind::Local, "dir-1");
  options.contexts["src"].ignore_patterns = {"*.o"};
  const Lowered lowered = lower_text("FROM alpine\nCOPY --from=src a /b\n", options);
  const Vertex& copy = lowered.graph.vertices().back();
  const Vertex& source = lowered.graph.at(copy.op.inputs.at(1).vertex);
  EXPECT_EQ(source.info.name, "[context src] load from client");
  EXPECT_EQ(std::get<SourceOp>(source.op.what).identifier, "local://dir-1");
  EXPECT_EQ(std::get<SourceOp>(source.op.what).attrs.at(kAttrExcludePatterns), R"(["*.o"])");
  EXPECT_EQ(std::get<CopyAction>(std::get<FileOp>(copy.op.what).actions.at(0)).owner, std::nullopt);
}

TEST(LowerContexts, ADirectoryIsABase) {
  const Lowered lowered = lower_text("FROM rootfs\nRUN x\n", with_context("rootfs", Kind::Local, "dir"));
  EXPECT_THAT(names_of(lowered),
              ElementsAre("[context rootfs] load from client", "[1/2] FROM rootfs", "[2/2] RUN x"));
  const auto copy = std::get<CopyAction>(ops_of<FileOp>(lowered).at(0).actions.at(0));
  EXPECT_EQ(copy.src, "/");
  EXPECT_EQ(copy.owner, (Owner{"0", "0"}));
  EXPECT_THAT(lowered.lanes[0].config.config.env, ElementsAre(HasSubstr("PATH=/usr/local/sbin")));
  EXPECT_EQ(lowered.lanes[0].base_layers, 0U);
}

TEST(LowerContexts, ADirectoryIsMountedItself) {
  const Lowered lowered =
      lower_text("FROM alpine\nRUN --mount=from=src,target=/s x\n", with_context("src", Kind::Local, "dir"));
  EXPECT_THAT(ops_of<FileOp>(lowered), ::testing::IsEmpty());
  const Mount mount = ops_of<ExecOp>(lowered).front().mounts.back();
  EXPECT_EQ(mount.dest, "/s");
  EXPECT_EQ(mount.input, 1);
}

TEST(LowerContexts, TakeThePlaceOfAStage) {
  const char* const text =
      "FROM golang AS build\nRUN make\nENV E=1\nFROM alpine\nCOPY --from=build a b\nCOPY --from=0 c d\n";
  const Lowered image = lower_text(text, with_context("build", Kind::Image, "golang"));
  EXPECT_THAT(ops_of<ExecOp>(image), ::testing::IsEmpty());
  const Lowered directory = lower_text(text, with_context("build", Kind::Local, "dir"));
  EXPECT_THAT(ops_of<ExecOp>(directory), ::testing::IsEmpty());
  EXPECT_THAT(names_of(directory), Contains("[context build] load from client"));
}

TEST(LowerContexts, AStageMayComeLater) {
  const char* const text =
      "FROM base\nARG A\nRUN use $A\nFROM alpine AS later\nARG A=1\nENV E=2\nRUN make\nFROM 0 AS last\n";
  const Lowered lowered = lower_text(text, with_context("base", Kind::Stage, "later"));
  EXPECT_THAT(names_of(lowered), ElementsAre(HasSubstr("[later 1/2] FROM "), "[later 2/2] RUN make",
                                             "[stage-0 1/1] RUN use $A"));
  EXPECT_THAT(ops_of<ExecOp>(lowered).back().env, ElementsAre("PATH=/usr/bin:/bin", "E=2"))
      << "ARGs are no part of an image";
}

TEST(LowerContexts, CyclesAreRefused) {
  auto options = with_context("a-base", Kind::Stage, "b");
  const InvalidInput error = refusal_of("FROM a-base AS a\nFROM a AS b\nFROM b\n", options);
  EXPECT_THAT(error.what(), HasSubstr("a -> b -> a"));
  EXPECT_TRUE(error.location());
  EXPECT_THAT(refusal_of("FROM alpine AS a\nFROM a\n", with_context("a", Kind::Stage, "a")).what(),
              HasSubstr("a -> a"));
}

TEST(LowerContexts, AMistypedStageIsTold) {
  const InvalidInput error =
      refusal_of("FROM base\nFROM alpine AS build\nFROM 0\n", with_context("base", Kind::Stage, "biuld"));
  EXPECT_THAT(error.what(), HasSubstr("the stages are: build"));
  EXPECT_EQ(error.hint(), "did you mean build?");
}

TEST(LowerContexts, ScratchStaysScratch) {
  EXPECT_TRUE(
      lower_text("FROM scratch\n", with_context("scratch", Kind::Local, "dir")).graph.vertices().empty());
  EXPECT_TRUE(
      lower_text("FROM alpine\n", with_context("alpine", Kind::Image, "scratch")).graph.vertices().empty());
}

}  // namespace
}  // namespace slipway::testing
