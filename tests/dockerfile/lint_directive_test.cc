// Which checks are made: "# check=" at the top, above an instruction, and the build argument.
#include <gmock/gmock.h>

#include "linting.h"

namespace slipway::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kBad = "FROM alpine as Base\nCMD x\n";

std::vector<std::string> rules_of(const std::string& head,
                                  const dockerfile::LowerOptions& options = options_for({"linux/amd64"})) {
  std::vector<std::string> out;
  for (const dockerfile::LintHit& hit : lint_text(head + kBad, options).hits())
    out.emplace_back(hit.rule->name);
  return out;
}

TEST(CheckDirective, SkipsWhatItNames) {
  EXPECT_THAT(rules_of(""), ElementsAre("FromAsCasing", "StageNameCasing", "JSONArgsRecommended"));
  EXPECT_THAT(rules_of("# check=skip=FromAsCasing, StageNameCasing\n"), ElementsAre("JSONArgsRecommended"));
  EXPECT_THAT(rules_of("#check = skip=all;error=true\n"), IsEmpty());
}

TEST(CheckDirective, NamesAreCaseSensitive) {
  const dockerfile::LintReport report = lint_text(std::string("# check=skip=jsonargsrecommended\n") + kBad);
  EXPECT_EQ(report.hits().size(), 3U);
  EXPECT_THAT(report.notes(), ElementsAre("Dockerfile:1: check: there is no rule \"jsonargsrecommended\" "
                                          "(did you mean JSONArgsRecommended?)"));
}

TEST(CheckDirective, TheBuildArgumentTakesItsPlace) {
  dockerfile::LowerOptions options = options_for({"linux/amd64"});
  options.build_args["BUILDKIT_DOCKERFILE_CHECK"] = "skip=StageNameCasing";
  EXPECT_THAT(rules_of("# check=skip=all;error=true\n", options),
              ElementsAre("FromAsCasing", "JSONArgsRecommended"));
}

TEST(CheckDirective, WhatIsMalformedIsRefusedAtItsPlace) {
  const InvalidInput error = refusal_of("# check=skip=all;eror=true\nFROM alpine\n");
  EXPECT_EQ(error.location()->line, 1);
  EXPECT_EQ(error.location()->column, 18);
  EXPECT_THAT(error.what(), HasSubstr("\"eror=true\" is none of"));
  EXPECT_THAT(refusal_of("# check=error=maybe\nFROM alpine\n").what(), HasSubstr("true or false"));
  dockerfile::LowerOptions options = options_for({"linux/amd64"});
  options.build_args["BUILDKIT_DOCKERFILE_CHECK"] = "all";
  EXPECT_THROW(lint_text("FROM alpine\n", options), UsageError);
}

TEST(CheckDirective, ErrorFailsIfThereAreHits) {
  const dockerfile::LintReport bad = lint_text(std::string("# check=error=true;skip=FromAsCasing\n") + kBad);
  try {
    bad.throw_if_failing();
    FAIL() << "did not throw";
  } catch (const InvalidInput& error) {
    EXPECT_THAT(error.what(), HasSubstr("JSONArgsRecommended, StageNameCasing"));
  }
  EXPECT_NO_THROW(lint_text("# check=error=true\nFROM alpine\n").throw_if_failing());
  EXPECT_NO_THROW(lint_text(kBad).throw_if_failing());
}

TEST(CheckDirective, ACommentAboveAnInstructionIsForItAlone) {
  EXPECT_THAT(
      places_of(
          "FROM alpine\n# check=skip=SecretsUsedInArgOrEnv it is a name only\n\nENV A_KEY=1\nENV B_KEY=1\n"),
      ElementsAre("SecretsUsedInArgOrEnv 5:5"));
  EXPECT_THAT(places_of("FROM alpine\n# check=skip=all\n# and a word\nWORKDIR a\n"), IsEmpty());
  EXPECT_THAT(places_of("FROM alpine\n# check=skip=all\n#\nWORKDIR a\n"),
              ElementsAre("WorkdirRelativePath 4:9"));
}

TEST(CheckDirective, TheOneThatReplacesMayLetTheReplacedPass) {
  EXPECT_THAT(
      places_of("FROM alpine\nCMD [\"a\"]\n# check=skip=MultipleInstructionsDisallowed\nCMD [\"b\"]\n"),
      IsEmpty());
}

TEST(CheckReport, TellsSoManyHitsAndNoMore) {
  std::string text = "FROM alpine\nENV";
  for (int i = 0; i < 20'000; ++i) text += concat(" A", i, "=$B", i);
  const dockerfile::LintReport report = lint_text(text + "\n");
  EXPECT_EQ(report.hits().size(), 500U);
  EXPECT_LT(report.hits().front().where.line_text.size(), 1100U);
  EXPECT_THAT(report.notes(), ElementsAre(HasSubstr("there may be more")));
}

TEST(CheckDescriptions, AreLookedAtOnlyIfAsked) {
  const std::string text =
      "# a word\nARG A=1\n# base what it is\nFROM alpine AS base\n# no word\n\nARG B\n# C and D\nARG C D\n# "
      "x\nARG E F\n";
  EXPECT_THAT(places_of(text), IsEmpty());
  EXPECT_THAT(places_of("# check=experimental=all\n" + text),
              ElementsAre("InvalidDefinitionDescription 3:1", "InvalidDefinitionDescription 12:1"));
  EXPECT_THAT(places_of("# check=skip=all;experimental=InvalidDefinitionDescription\n" + text),
              ElementsAre("InvalidDefinitionDescription 3:1", "InvalidDefinitionDescription 12:1"));
}

}  // namespace
}  // namespace slipway::testing
