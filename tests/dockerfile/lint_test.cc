// Every rule: what breaks it and where that is told, and what does not break it.
#include <gmock/gmock.h>

#include "linting.h"

namespace slipway::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Row {
  const char* name;
  const char* text;
  std::vector<std::string> places = {};  ///< none: nothing is told
};

class LintRules : public ::testing::TestWithParam<Row> {};

TEST_P(LintRules, TellsEachBreachAtItsPlace) { EXPECT_EQ(places_of(GetParam().text), GetParam().places); }

std::string row_name(const ::testing::TestParamInfo<Row>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(
    Names, LintRules,
    ::testing::Values(Row{"StageNameCasing", "FROM alpine AS Build\n", {"StageNameCasing 1:16"}},
                      Row{"StageNameCasingGood", "FROM alpine AS build\n"},
                      Row{"FromAsCasing", "FROM alpine as build\n", {"FromAsCasing 1:13"}},
                      Row{"FromAsCasingLower", "from alpine AS build\n", {"FromAsCasing 1:13"}},
                      Row{"FromAsCasingGood", "from alpine as build\n"},
                      Row{"FromAsCasingLeftToTheOtherRule",
                          "From alpine as build\nFROM alpine\n",
                          {"ConsistentInstructionCasing 1:1"}},
                      Row{"DuplicateStageName",
                          "FROM alpine AS a\nFROM alpine AS A\n",
                          {"StageNameCasing 2:16", "DuplicateStageName 2:16"}},
                      Row{"DuplicateStageNameGood", "FROM alpine AS a\nFROM alpine AS b\n"},
                      Row{"ReservedStageName",
                          "FROM scratch AS scratch\nFROM scratch AS context\n",
                          {"ReservedStageName 1:17", "ReservedStageName 2:17"}},
                      Row{"ReservedStageNameGood", "FROM scratch\nFROM scratch AS a\n"}),
    row_name);

INSTANTIATE_TEST_SUITE_P(
    Text, LintRules,
    ::testing::Values(
        Row{"ConsistentInstructionCasing",
            "FROM alpine\n  run a\nRUN b\n",
            {"ConsistentInstructionCasing 2:3"}},
        Row{"ConsistentInstructionCasingMixed", "FROM alpine\nRun a\n", {"ConsistentInstructionCasing 2:1"}},
        Row{"ConsistentInstructionCasingLower",
            "from alpine\nrun a\nRUN b\n",
            {"ConsistentInstructionCasing 3:1"}},
        Row{"ConsistentInstructionCasingTie", "from alpine\nRUN b\n", {"ConsistentInstructionCasing 1:1"}},
        Row{"ConsistentInstructionCasingGood", "arg A=1\nFROM alpine\nRUN b\n"},
        Row{"MaintainerDeprecated", "FROM alpine\nMAINTAINER me\n", {"MaintainerDeprecated 2:1"}},
        Row{"MaintainerDeprecatedGood", "FROM alpine\nLABEL org.opencontainers.image.authors=me\n"},
        Row{"NoEmptyContinuation", "FROM alpine\nRUN a && \\\n# why\n\n  b\n", {"NoEmptyContinuation 4:1"}},
        Row{"NoEmptyContinuationAtTheEnd", "FROM alpine\nRUN a \\\n\n", {"NoEmptyContinuation 3:1"}},
        Row{"NoEmptyContinuationGood", "FROM alpine\nRUN a && \\\n  # why\n  b\n\nRUN c\\\\\n\nRUN d\n"},
        Row{"NoEmptyContinuationEscape",
            "# escape=`\nFROM alpine\nRUN a `\n\n  b\n",
            {"NoEmptyContinuation 4:1"}}),
    row_name);

INSTANTIATE_TEST_SUITE_P(
    From, LintRules,
    ::testing::Values(
        Row{"UndefinedArgInFrom", "ARG TAG=1\nFROM alpine${TAGS}\n", {"UndefinedArgInFrom 2:12"}},
        Row{"UndefinedArgInFromPlatform",
            "FROM --platform=linux/amd64$X alpine\n",
            {"UndefinedArgInFrom 1:6"}},
        Row{"UndefinedArgInFromOfAnUnusedStage",
            "FROM alpine${X} AS a\nFROM alpine\n",
            {"UndefinedArgInFrom 1:12"}},
        Row{"UndefinedArgInFromWithADefault", "FROM ${IMAGE:-alpine}\n", {"UndefinedArgInFrom 1:6"}},
        Row{"UndefinedArgInFromGood", "ARG TAG\nFROM alpine${TAG}\n"},
        Row{"UndefinedArgInFromBuiltIn", "FROM --platform=$BUILDPLATFORM alpine\n"},
        Row{"InvalidDefaultArgInFrom",
            "ARG I\nFROM ${I:-UPPER} AS a\nFROM alpine\n",
            {"InvalidDefaultArgInFrom 2:6"}},
        Row{"InvalidDefaultArgInFromGood", "ARG I=alpine\nFROM $I\n"},
        Row{"RedundantTargetPlatform",
            "FROM --platform=$TARGETPLATFORM alpine\n",
            {"RedundantTargetPlatform 1:6"}},
        Row{"RedundantTargetPlatformGood", "FROM --platform=linux/$TARGETARCH alpine\n"},
        Row{"FromPlatformFlagConstDisallowed",
            "FROM --platform=linux/arm64 alpine AS b\n",
            {"FromPlatformFlagConstDisallowed 1:6"}},
        Row{"FromPlatformFlagConstNamedArch", "FROM --platform=linux/arm64 alpine AS for_arm64\n"},
        Row{"FromPlatformFlagConstNamedOs", "FROM --platform=linux/arm64 alpine AS linux\n"}),
    row_name);

INSTANTIATE_TEST_SUITE_P(
    Variables, LintRules,
    ::testing::Values(
        Row{"UndefinedVar", "FROM alpine\nENV A=1 B=x$BB\n", {"UndefinedVar 2:12"}},
        Row{"UndefinedVarOnce", "FROM alpine\nENV A=$X B=${X}\n", {"UndefinedVar 2:7"}},
        Row{"UndefinedVarOnTheSecondLine", "FROM alpine\nENV A=1 \\\n  B=$BB\n", {"UndefinedVar 3:5"}},
        Row{"UndefinedVarWithADefault", "FROM alpine\nWORKDIR /${X:-d}\n", {"UndefinedVar 2:10"}},
        Row{"UndefinedVarBeforeItsArg", "FROM alpine\nCOPY a$f .\nARG f=1\n", {"UndefinedVar 2:7"}},
        Row{"UndefinedVarInAFlag", "FROM alpine\nCOPY --chown=a$U a /\n", {"UndefinedVar 2:6"}},
        Row{"UndefinedVarInADefault", "FROM alpine\nARG A=$B\n", {"UndefinedVar 2:7"}},
        Row{"UndefinedVarOfTheGlobals", "ARG G=1\nFROM alpine\nLABEL a=$G\n", {"UndefinedVar 3:9"}},
        Row{"UndefinedVarNotInUnusedStages", "FROM alpine AS a\nENV A=$B\nFROM alpine\n"},
        Row{"UndefinedVarInAUsedStageOnce",
            "FROM alpine AS a\nENV A=$B\nFROM a\nCOPY --from=a / /\n",
            {"UndefinedVar 2:7"}},
        Row{"UndefinedVarGood",
            "FROM alpine\nARG A\nARG B=1\nENV C=2\nLABEL a=$A$B$C$PATH\nRUN echo $nothing\n"},
        Row{"UndefinedVarOfTheBaseStage", "FROM alpine AS a\nARG A\nENV B=1\nFROM a\nLABEL a=$A$B\n"},
        Row{"UndefinedVarInAHereDocument",
            "FROM alpine\nCOPY <<-EOF /a\n\ta\n\t\tb $X\n\tEOF\n",
            {"UndefinedVar 4:5"}},
        Row{"UndefinedVarNotInAQuotedHereDocument",
            "FROM alpine\nCOPY <<'EOF' /a\n$X\nEOF\nRUN <<EOF\n$X\nEOF\n"},
        Row{"UndefinedVarInAMount",
            "FROM alpine\nRUN --mount=type=cache,target=/c$X x\n",
            {"UndefinedVar 2:5"}},
        Row{"UndefinedVarInAdd", "FROM alpine\nADD a$X /\n", {"UndefinedVar 2:6"}},
        Row{"UndefinedVarLeftToExpose", "FROM alpine\nEXPOSE 80$X\n"},
        Row{"SecretsUsedInArgOrEnv",
            "FROM alpine\nARG A API_KEY\nENV B=1 Git_Token=x\n",
            {"SecretsUsedInArgOrEnv 2:7", "SecretsUsedInArgOrEnv 3:9"}},
        Row{"SecretsUsedInArgOrEnvGood",
            "ARG PASSWORD\nFROM alpine\nARG PUBLIC_KEY KEYBOARD\nENV TOKEN_FILE=/x AUTH_VERSION=1\n"},
        Row{"LegacyKeyValueFormat",
            "FROM alpine\nENV A b c\nLABEL  k v\n",
            {"LegacyKeyValueFormat 2:5", "LegacyKeyValueFormat 3:8"}},
        Row{"LegacyKeyValueFormatGood", "FROM alpine\nENV A=\"b c\" D=\nLABEL k=v \"l m\"=n\n"}),
    row_name);

INSTANTIATE_TEST_SUITE_P(
    Config, LintRules,
    ::testing::Values(
        Row{"WorkdirRelativePath", "FROM alpine\nWORKDIR a\nWORKDIR b\n", {"WorkdirRelativePath 2:9"}},
        Row{"WorkdirRelativePathGood", "FROM alpine\nWORKDIR /a\nWORKDIR b\n"},
        Row{"WorkdirRelativePathOfTheBaseStage", "FROM alpine AS a\nWORKDIR /a\nFROM a\nWORKDIR b\n"},
        Row{"WorkdirRelativePathVariable", "FROM alpine\nENV D=/a\nWORKDIR $D\n"},
        Row{"ExposeProtoCasing", "FROM alpine\nEXPOSE 80 81/TCP\n", {"ExposeProtoCasing 2:11"}},
        Row{"ExposeInvalidFormat",
            "FROM alpine\nEXPOSE 127.0.0.1:80:80 81:81\n",
            {"ExposeInvalidFormat 2:8", "ExposeInvalidFormat 2:24"}},
        Row{"ExposeGood", "FROM alpine\nEXPOSE 80 81/udp 90-92/tcp\n"},
        Row{"JSONArgsRecommended",
            "FROM alpine\nENTRYPOINT a\nCMD b\n",
            {"JSONArgsRecommended 2:1", "JSONArgsRecommended 3:1"}},
        Row{"JSONArgsRecommendedGood", "FROM alpine\nENTRYPOINT [\"a\"]\nCMD [\"b\"]\nRUN c\n"},
        Row{"JSONArgsRecommendedWithShell", "FROM alpine AS a\nSHELL [\"/bin/sh\", \"-c\"]\nFROM a\nCMD b\n"},
        Row{"MultipleInstructionsDisallowed",
            "FROM alpine\nCMD [\"a\"]\nCMD [\"b\"]\nCMD [\"c\"]\nHEALTHCHECK NONE\nHEALTHCHECK CMD x\n",
            {"MultipleInstructionsDisallowed 2:1", "MultipleInstructionsDisallowed 3:1",
             "MultipleInstructionsDisallowed 5:1"}},
        Row{"MultipleInstructionsGood",
            "FROM alpine AS a\nCMD [\"a\"]\nFROM a\nCMD [\"b\"]\nENTRYPOINT [\"c\"]\n"}),
    row_name);

dockerfile::LowerOptions ignoring(std::vector<std::string> patterns) {
  dockerfile::LowerOptions options = options_for({"linux/amd64"});
  options.ignored = [patterns](const std::string& path) {
    return std::ranges::find(patterns, path) != patterns.end();
  };
  options.ignore_patterns = std::move(patterns);
  return options;
}

TEST(LintCopy, AnIgnoredSourceIsToldOf) {
  EXPECT_THAT(places_of(lint_text("FROM alpine\nCOPY a ./sub/../b /c ./\n", ignoring({"b", "c"}))),
              ElementsAre("CopyIgnoredFile 2:8", "CopyIgnoredFile 2:19"));
}

TEST(LintCopy, WhatIsCopiedFromAStageIsNotIgnored) {
  EXPECT_THAT(places_of(lint_text("FROM alpine AS a\nFROM alpine\nCOPY --from=a b /\n", ignoring({"b"}))),
              IsEmpty());
}

TEST(LintCopy, TheWholeContextIsIgnoredOnlyByAPatternForAll) {
  EXPECT_THAT(places_of(lint_text("FROM alpine\nCOPY . /\n", ignoring({".*"}))), IsEmpty());
  EXPECT_THAT(places_of(lint_text("FROM alpine\nCOPY . /\n", ignoring({"*"}))),
              ElementsAre("CopyIgnoredFile 2:6"));
}

TEST(LintCopy, PatternsThatTakeBackAreNotJudged) {
  EXPECT_THAT(places_of(lint_text("FROM alpine\nCOPY b /\n", ignoring({"b", "!b/c"}))), IsEmpty());
}

TEST(LintPlatforms, EachHitIsToldOnce) {
  EXPECT_THAT(
      places_of(lint_text("FROM alpine\nCMD a$X\nENV A=$X\n", options_for({"linux/amd64", "linux/arm64"}))),
      ElementsAre("JSONArgsRecommended 2:1", "UndefinedVar 3:7"));
}

TEST(LintPlatforms, ABaseImageOfAnotherArchitectureIsToldOf) {
  FakeImageResolver images;
  images.add("old", {"linux/amd64"});
  images.answer_with("old", Platform::parse("linux/386"));
  const dockerfile::LintReport report =
      lint_text("FROM old\n", options_for({"linux/amd64"}), std::move(images));
  ASSERT_THAT(places_of(report), ElementsAre("InvalidBaseImagePlatform 1:6"));
  EXPECT_THAT(report.hits().front().message, HasSubstr("is for linux/386"));
}

TEST(LintStages, AllOfThemAreLookedAtIfAsked) {
  dockerfile::LowerOptions options = options_for({"linux/amd64"});
  options.all_stages = true;
  EXPECT_THAT(places_of(lint_text("FROM alpine AS a\nENV A=$B\nFROM alpine\n", options)),
              ElementsAre("UndefinedVar 2:7"));
}

TEST(LintStages, WhatAnErrorComesAfterIsToldStill) {
  dockerfile::LintReport report;
  FakeImageResolver images = usual_images();
  const dockerfile::Dockerfile file =
      dockerfile::parse("Dockerfile", "FROM alpine AS Big\nWORKDIR a\nENV A=${B:?no}\n");
  EXPECT_THROW(dockerfile::lower(file, options_for({"linux/amd64"}), images, report, {}), InvalidInput);
  EXPECT_THAT(places_of(report),
              ElementsAre("StageNameCasing 1:16", "WorkdirRelativePath 2:9", "UndefinedVar 3:7"));
}

TEST(LintMessages, ANearNameIsOffered) {
  EXPECT_THAT(lint_text("FROM alpine\nARG VERSION=1\nLABEL v=$VERSOIN\n").hits().front().message,
              HasSubstr("did you mean $VERSION?"));
  EXPECT_THAT(lint_text("ARG TAG=1\nFROM alpine${TAGS}\n").hits().front().message,
              HasSubstr("did you mean TAG?"));
}

TEST(LintImages, OneThatCannotBeHadIsNotedIfThatIsAllowed) {
  dockerfile::LowerOptions options = options_for({"linux/amd64"});
  options.images_optional = true;
  const dockerfile::LintReport report = lint_text("FROM nowhere\nENV A=$HOME\nCMD a\n", options);
  EXPECT_THAT(places_of(report), ElementsAre("JSONArgsRecommended 3:1"));
  EXPECT_THAT(report.notes(), ElementsAre(HasSubstr("cannot read the image nowhere, so")));
}

TEST(LintImages, OneThatIsNamedLikeAStageIsAnErrorStill) {
  dockerfile::LowerOptions options = options_for({"linux/amd64"});
  options.images_optional = true;
  EXPECT_THROW(lint_text("FROM alpine AS build\nFROM biuld\n", options), InvalidInput);
}

}  // namespace
}  // namespace slipway::testing
