#include <gtest/gtest.h>

#include "dockerfile/ast.h"

namespace slipway::dockerfile {
namespace {

Dockerfile parse_text(std::string_view text) { return parse("Dockerfile", text); }

TEST(Parser, ReadsKeywordFlagsAndText) {
  const Dockerfile file = parse_text("FROM alpine\n  copy --from=build --chown=1:1 a  b /c\n");
  ASSERT_EQ(file.instructions.size(), 2U);
  const Instruction& copy = file.instructions[1];
  EXPECT_EQ(copy.keyword, "COPY");
  EXPECT_EQ(copy.original, "  copy --from=build --chown=1:1 a  b /c");
  EXPECT_EQ(copy.text, "a  b /c");
  EXPECT_EQ(copy.text_column, 33);
  EXPECT_EQ(copy.column, 3);
  ASSERT_EQ(copy.flags.size(), 2U);
  EXPECT_EQ(copy.flags[0].name, "from");
  EXPECT_EQ(copy.flags[0].value, "build");
  EXPECT_EQ(copy.flags[1].column, 21);
}

TEST(Parser, FlagValuesLoseQuotes) {
  const Dockerfile file = parse_text("FROM a\nRUN --mount=type=secret,id=\"a b\" --network=none -- --x\n");
  const Instruction& run = file.instructions[1];
  ASSERT_EQ(run.flags.size(), 2U);
  EXPECT_EQ(run.flags[0].value, "type=secret,id=a b");
  EXPECT_EQ(run.text, "--x");
}

TEST(Parser, JoinsContinuationsAndDropsCommentsInside) {
  const Dockerfile file =
      parse_text("FROM a\nRUN one \\\n# note\n\n    # more\n  two \\  \n  three\nUSER x\n");
  ASSERT_EQ(file.instructions.size(), 3U);
  EXPECT_EQ(file.instructions[1].text, "one   two   three");
  EXPECT_EQ(file.instructions[1].first_line, 2);
  EXPECT_EQ(file.instructions[1].last_line, 7);
}

TEST(Parser, DoubledEscapeIsNoContinuation) {
  const Dockerfile file = parse_text("FROM a\nRUN echo \\\\\nUSER x\n");
  ASSERT_EQ(file.instructions.size(), 3U);
  EXPECT_EQ(file.instructions[1].text, "echo \\\\");
}

TEST(Parser, ContinuationAtTheEndOfTheFileIsHarmless) {
  EXPECT_EQ(parse_text("FROM a \\\n").instructions[0].text, "a");
  EXPECT_EQ(parse_text("FROM \\").instructions[0].text, "");
}

TEST(Parser, LinesThatEndAContinuationBelongToIt) {
  EXPECT_EQ(parse_text("FROM a \\\n\n# b\n").instructions[0].last_line, 3);
}

TEST(Parser, HashInsideALineIsText) {
  EXPECT_EQ(parse_text("FROM a\nRUN echo # x\n").instructions[1].text, "echo # x");
}

TEST(Parser, PlacesFollowContinuations) {
  const Dockerfile file = parse_text("FROM a\nENV A=1 \\\n    B=2 \\\n  C=3\n");
  const Instruction& env = file.instructions[1];
  const SourceLocation where = file.at(env, env.text.find("C="));
  EXPECT_EQ(where.line, 4);
  EXPECT_EQ(where.column, 3);
  EXPECT_EQ(where.line_text, "  C=3");
}

TEST(Parser, ArgumentsOnALaterLineHaveNoTextColumn) {
  const Instruction run = parse_text("FROM a\nRUN \\\n  make\n").instructions[1];
  EXPECT_EQ(run.text, "make");
  EXPECT_EQ(run.text_column, 0);
}

TEST(Parser, TakesByteOrderMarkAndCrLf) {
  const Dockerfile file = parse_text("\xEF\xBB\xBF# escape=`\r\nFROM a\r\nRUN x `\r\n y\r\n");
  EXPECT_EQ(file.escape, '`');
  ASSERT_EQ(file.instructions.size(), 2U);
  EXPECT_EQ(file.instructions[1].text, "x  y");
}

TEST(Parser, ReadsDirectives) {
  const Dockerfile file = parse_text("# Syntax = docker/dockerfile:1\n# check=skip=all\n#escape=`\nFROM a\n");
  EXPECT_EQ(file.syntax, "docker/dockerfile:1");
  EXPECT_EQ(file.escape, '`');
  EXPECT_EQ(file.check, "skip=all");
}

TEST(Parser, NearlyADirectiveIsWarnedOf) {
  const Dockerfile file = parse_text("# escpae=`\nFROM a\n");
  EXPECT_EQ(file.escape, '\\');
  ASSERT_EQ(file.warnings.size(), 1U);
  EXPECT_NE(file.warnings[0].find("did you mean escape"), std::string::npos);
  EXPECT_TRUE(parse_text("# name=x\nFROM a\n").warnings.empty());
}

TEST(Parser, AfterAShebangOnlyTheEscapeDirectiveIsVoid) {
  const Dockerfile file =
      parse_text("#!/bin/docker\n#syntax=x\n#check=skip=A,B;error=true\n#escape=`\nFROM a\n");
  EXPECT_EQ(file.syntax, "x");
  EXPECT_EQ(file.check, "skip=A,B;error=true");
  EXPECT_EQ(file.escape, '\\');
  EXPECT_EQ(file.warnings.size(), 1U);
}

TEST(Parser, InvalidJsonIsShellTextWithAWarning) {
  const Dockerfile file = parse_text("FROM a\nCMD [\"a\", \"b\",]\nENTRYPOINT ['a']\nRUN [ \"$a\" = b ]\n");
  EXPECT_FALSE(file.instructions[1].json);
  EXPECT_EQ(file.instructions[1].text, "[\"a\", \"b\",]");
  ASSERT_EQ(file.warnings.size(), 2U);
  EXPECT_TRUE(file.warnings[0].starts_with("Dockerfile:2:15: ")) << file.warnings[0];
  EXPECT_TRUE(file.warnings[1].starts_with("Dockerfile:3:13: ")) << file.warnings[1];
}

TEST(Parser, ALineOfOnlyTheEscapeIsJoinedToTheNext) {
  const Dockerfile file = parse_text("\\\n  FROM a\n");
  EXPECT_EQ(file.instructions[0].keyword, "FROM");
  EXPECT_EQ(file.instructions[0].first_line, 1);
  EXPECT_EQ(file.at(file.instructions[0], 0).line, 2);
}

TEST(Parser, UnicodeBlanksAroundALineGo) {
  EXPECT_EQ(parse_text("\xC2\xA0 FROM a\xE3\x80\x80\n").instructions[0].text, "a");
}

TEST(Parser, DirectivesEndAtTheFirstOtherLine) {
  EXPECT_EQ(parse_text("# a comment\n# escape=`\nFROM a\n").escape, '\\');
  EXPECT_EQ(parse_text("\n# escape=`\nFROM a\n").escape, '\\');
  EXPECT_EQ(parse_text("# unknown=1\n# escape=`\nFROM a\n").escape, '\\');
}

TEST(Parser, ReadsTheJsonForm) {
  const Dockerfile file =
      parse_text("FROM a\nRUN [\"a\", \"b c\"]\nRUN [ -f x ] && y\nRUN [ \"$a\" = \"b\" ]\nCMD []\n");
  EXPECT_EQ(file.instructions[1].json, (std::vector<std::string>{"a", "b c"}));
  EXPECT_FALSE(file.instructions[2].json);
  EXPECT_FALSE(file.instructions[3].json);
  EXPECT_EQ(file.instructions[4].json, std::vector<std::string>{});
}

TEST(Parser, ManyShortLinesStayFast) {
  std::string text = "FROM a\n";
  for (int i = 0; i < 100'000; ++i) text += "ENV A=1 \\\n\n";
  EXPECT_EQ(parse_text(text).instructions.size(), 2U);
}

}  // namespace
}  // namespace slipway::dockerfile
