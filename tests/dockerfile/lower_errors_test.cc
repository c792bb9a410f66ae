// References that lead nowhere, and what the resolver says of images.
#include <gmock/gmock.h>

#include "dockerfile/lowering.h"

namespace slipway::testing {
namespace {

using ::testing::HasSubstr;

void expect_at(const InvalidInput& error, int line, int column) {
  ASSERT_TRUE(error.location()) << error.what();
  EXPECT_EQ(error.location()->line, line) << describe(error);
  EXPECT_EQ(error.location()->column, column) << describe(error);
}

TEST(LowerErrors, AMissingImageIsShownWithTheFromLine) {
  const InvalidInput error = refusal_of("FROM alpine AS base\nFROM  nowhere/image\n");
  expect_at(error, 2, 7);
  EXPECT_STREQ(error.what(), "docker.io/nowhere/image:latest: not found");
  EXPECT_EQ(error.hint(), "");
}

TEST(LowerErrors, AMisspeltStageIsSuggested) {
  const InvalidInput from = refusal_of("FROM alpine AS builder\nFROM bulider\n");
  expect_at(from, 2, 6);
  EXPECT_EQ(from.hint(), "did you mean the stage \"builder\"?");
  const InvalidInput copy = refusal_of("FROM alpine AS builder\nFROM alpine\nCOPY --from=buildr /a /b\n");
  expect_at(copy, 3, 6);
  EXPECT_EQ(copy.hint(), "did you mean the stage \"builder\"?");
}

TEST(LowerErrors, AStageDefinedLaterIsNamed) {
  EXPECT_THAT(refusal_of("FROM base\nFROM alpine AS base\nCOPY --from=0 / /\n").hint(),
              HasSubstr("defined later, on line 2"));
}

TEST(LowerErrors, AMissingPlatformKeepsTheResolversText) {
  const InvalidInput error = refusal_of("FROM alpine\n", options_for({"linux/s390x"}));
  expect_at(error, 1, 6);
  EXPECT_STREQ(error.what(),
               "docker.io/library/alpine:latest has no linux/s390x; it has linux/amd64, linux/arm64");
}

TEST(LowerErrors, ABadReferenceIsShownInPlace) { expect_at(refusal_of("FROM alpine:\n"), 1, 6); }

TEST(LowerErrors, DeniedStaysDenied) {
  FakeImageResolver images = usual_images();
  images.deny("private");
  try {
    lower_text("FROM private\n", options_for({"linux/amd64"}), images);
    FAIL();
  } catch (const Denied& error) {
    EXPECT_STREQ(
        error.what(),
        "Dockerfile:1: resolving private for linux/amd64: access to docker.io/library/private:latest denied");
  }
}

TEST(LowerErrors, CopyFromLaterSelfAndNowhere) {
  const InvalidInput later =
      refusal_of("FROM alpine\nCOPY --from=b / /\nFROM alpine AS b\nCOPY --from=0 / /\n");
  expect_at(later, 2, 6);
  EXPECT_THAT(later.what(), HasSubstr("comes later"));
  EXPECT_THAT(refusal_of("FROM alpine AS a\nCOPY --from=a / /\n").what(), HasSubstr("itself"));
  EXPECT_THAT(refusal_of("FROM alpine\nCOPY --from=0 / /\n").what(), HasSubstr("itself"));
  EXPECT_THAT(refusal_of("FROM alpine\nCOPY --from=7 / /\n").what(), HasSubstr("there is no stage 7"));
  EXPECT_THAT(refusal_of("FROM 3\n").what(), HasSubstr("there is no stage 3"));
}

TEST(LowerErrors, VariablesInCopyFromAreRefused) {
  const InvalidInput error = refusal_of("ARG I=alpine\nFROM alpine\nCOPY --from=$I / /\n");
  expect_at(error, 3, 6);
  EXPECT_THAT(error.hint(), HasSubstr("FROM $IMAGE AS name"));
}

TEST(LowerErrors, AnUnknownTargetNamesTheStages) {
  auto options = options_for({"linux/amd64"});
  options.target = "tset";
  const InvalidInput error = refusal_of("FROM alpine AS build\nFROM build AS test\nFROM alpine\n", options);
  EXPECT_THAT(error.what(), HasSubstr("the stages are: build, test"));
  EXPECT_EQ(error.hint(), "did you mean test?");
  options.target = "9";
  EXPECT_THAT(refusal_of("FROM alpine\n", options).what(), HasSubstr("no stage \"9\""));
}

TEST(LowerErrors, NoPlatformIsAUsageError) {
  FakeImageResolver images;
  EXPECT_THROW(dockerfile::lower(dockerfile::parse("Dockerfile", "FROM a\n"), {}, images, {}), UsageError);
}

TEST(LowerErrors, AMistypedArgInFromIsTold) {
  EXPECT_EQ(refusal_of("ARG VERSION=3\nFROM alpine:$VERSOIN\n").hint(),
            "$VERSOIN has no value here; did you mean $VERSION?");
  EXPECT_EQ(refusal_of("ARG BASE=alpine\nFROM $BSAE\n").hint(),
            "$BSAE has no value here; did you mean $BASE?");
  EXPECT_EQ(refusal_of("FROM --platform=$TARGETPLATFROM alpine\n").hint(),
            "$TARGETPLATFROM has no value here; did you mean $TARGETPLATFORM?");
  EXPECT_THAT(refusal_of("FROM $ZZZ\n").hint(), HasSubstr("before the first FROM"));
}

}  // namespace
}  // namespace slipway::testing
