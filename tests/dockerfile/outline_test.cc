#include "dockerfile/outline.h"

#include <gmock/gmock.h>

#include "lowering.h"

namespace slipway::testing {
namespace {

using ::testing::ElementsAre;

dockerfile::Outline outline(std::string_view text, const dockerfile::LowerOptions& options) {
  FakeImageResolver images = usual_images();
  const dockerfile::Dockerfile file = dockerfile::parse("Dockerfile", text);
  return dockerfile::outline_of(file, options, dockerfile::lower(file, options, images, {}));
}

dockerfile::Outline outline(std::string_view text) { return outline(text, options_for({"linux/amd64"})); }

/// "3 NAME=VALUE description"
std::vector<std::string> args_of(const dockerfile::Outline& outline) {
  std::vector<std::string> out;
  for (const dockerfile::OutlineArg& arg : outline.args)
    out.push_back(concat(arg.lines.first, " ", arg.name, "=", arg.value, arg.description.empty() ? "" : " ",
                         arg.description));
  return out;
}

constexpr const char* kText = R"(# syntax=docker/dockerfile:1
# AAA the global one
ARG AAA=1
ARG UNUSED=1
ARG PART=al
# IMAGE what to build on
ARG IMAGE=${PART}pine

# lib helps
FROM $IMAGE AS lib
# LIB is the library's
ARG LIB=$AAA

# other is not needed
FROM alpine AS other
ARG OTHER=1

# tool does it
# all
FROM --platform=$BUILDPLATFORM golang AS tool
ARG TARGETARCH AAA
# B for two
ARG \
  B=2 C
COPY --from=lib / /lib
)";

TEST(Outline, ArgsAreThoseThatTheTargetAndWhatItNeedsDeclare) {
  const dockerfile::Outline found = outline(kText);
  EXPECT_EQ(found.name, "tool");
  EXPECT_EQ(found.description, "does it");
  EXPECT_THAT(args_of(found),
              ElementsAre("3 AAA=1 the global one", "5 PART=al", "7 IMAGE=alpine what to build on",
                          "12 LIB= is the library's", "23 B=2 for two", "23 C="));
  EXPECT_EQ(found.args[4].lines.last, 24);
}

TEST(Outline, ValuesAreTheCallers) {
  dockerfile::LowerOptions options = options_for({"linux/amd64", "linux/arm64"});
  options.build_args = {{"AAA", "7"}, {"B", "8"}};
  options.target = "tool";
  EXPECT_THAT(args_of(outline(kText, options)),
              ElementsAre("5 PART=al", "7 IMAGE=alpine what to build on", "12 LIB= is the library's",
                          "21 AAA=7", "23 B=8 for two", "23 C="));
}

TEST(Outline, SecretsAreListedOnce) {
  const dockerfile::Outline found = outline(
      "FROM alpine\nENV N=tok\nRUN --mount=type=secret,id=$N a\nRUN --mount=type=secret,id=tok,required=true "
      "b\n"
      "RUN --mount=type=secret,id=pw,env=PW c\n");
  ASSERT_EQ(found.secrets.size(), 2U);
  EXPECT_EQ(found.secrets[0].id, "tok");
  EXPECT_TRUE(found.secrets[0].required);
  EXPECT_EQ(found.secrets[0].lines.first, 3);
  EXPECT_EQ(found.secrets[1].id, "pw");
  EXPECT_FALSE(found.secrets[1].required);
}

TEST(Outline, AgentsAndCacheMountsAreListed) {
  const dockerfile::Outline found = outline(
      "FROM alpine\nRUN --mount=type=ssh --mount=type=cache,target=/c \\\n  a\nRUN "
      "--mount=type=ssh,id=k,required b\n");
  ASSERT_EQ(found.ssh.size(), 2U);
  EXPECT_EQ(found.ssh[0].id, "default");
  EXPECT_EQ(found.ssh[1].id, "k");
  EXPECT_TRUE(found.ssh[1].required);
  ASSERT_EQ(found.caches.size(), 1U);
  EXPECT_EQ(found.caches[0].id, "/c@linux/amd64");
  EXPECT_EQ(found.caches[0].lines.first, 2);
  EXPECT_EQ(found.caches[0].lines.last, 3);
}

TEST(Targets, AreListedAsWritten) {
  const std::vector<dockerfile::TargetEntry> found =
      dockerfile::list_targets(dockerfile::parse("Dockerfile", kText));
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].name, "lib");
  EXPECT_EQ(found[0].description, "helps");
  EXPECT_EQ(found[0].base, "$IMAGE");
  EXPECT_FALSE(found[0].is_default);
  EXPECT_EQ(found[2].platform, "$BUILDPLATFORM");
  EXPECT_EQ(found[2].lines.first, 20);
  EXPECT_TRUE(found[2].is_default);
}

}  // namespace
}  // namespace slipway::testing
