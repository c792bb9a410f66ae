// What is wrong in a Dockerfile is said with file, line and column.
#include "base/strings.h"
#include "dockerfile/lowering.h"

namespace slipway::testing {
namespace {

struct Bad {
  const char* name;
  const char* text;
  int line, column;
  const char* message;
  const char* hint = "";
};
void PrintTo(const Bad& row, std::ostream* out) { *out << row.text; }

class DockerfileError : public ::testing::TestWithParam<Bad> {};
TEST_P(DockerfileError, SaysWhereAndWhat) {
  const Bad& row = GetParam();
  const InvalidInput error = refusal_of(row.text);
  ASSERT_TRUE(error.location()) << error.what();
  EXPECT_EQ(error.location()->file, "Dockerfile");
  EXPECT_EQ(error.location()->line, row.line) << describe(error);
  EXPECT_EQ(error.location()->column, row.column) << describe(error);
  EXPECT_NE(error.message().find(row.message), std::string::npos) << describe(error);
  EXPECT_NE(error.hint().find(row.hint), std::string::npos) << describe(error);
}

INSTANTIATE_TEST_SUITE_P(
    Syntax, DockerfileError,
    ::testing::Values(
        Bad{"UnknownInstruction", "FROM alpine\n  RNU make\n", 2, 3, "unknown instruction: RNU", "RUN"},
        Bad{"BeforeFrom", "# x\nRUN make\nFROM alpine\n", 2, 1, "before the first FROM"},
        Bad{"UnknownFlag", "FROM alpine\nCOPY --form=x a b\n", 2, 6, "unknown flag --form", "--from"},
        Bad{"FlagOnEnv", "FROM alpine\nENV --x=1 A=1\n", 2, 5, "unknown flag --x"},
        Bad{"FlagTwice", "FROM alpine\nCOPY --from=a --from=b c d\n", 2, 15, "given twice"},
        Bad{"FlagWithoutValue", "FROM alpine\nCOPY --chown a b\n", 2, 6, "needs a value"},
        Bad{"FlagOnLaterLine", "FROM alpine\nRUN \\\n  --netwrok=none make\n", 3, 3, "--netwrok",
            "--network"},
        Bad{"JsonNumber", "FROM alpine\nCMD [\"a\", 1]\n", 2, 5, "strings only"},
        Bad{"ShellNotJson", "FROM alpine\nSHELL /bin/bash -c\n", 2, 7, "JSON form"},
        Bad{"FromNothing", "FROM\n", 1, 1, "FROM needs"},
        Bad{"FromTooMuch", "FROM alpine AS a b\n", 1, 18, "too much"},
        Bad{"FromNoAs", "FROM alpine build\n", 1, 13, "\"AS NAME\""},
        Bad{"FromAsNothing", "FROM alpine AS\n", 1, 13, "needs a stage name"},
        Bad{"StageName", "FROM alpine AS 1st\n", 1, 16, "invalid stage name"},
        Bad{"EnvNoValue", "FROM alpine\nENV A\n", 2, 5, "needs a value"},
        Bad{"EnvMissingEquals", "FROM alpine\nENV A=1 \\\n  B C=2\n", 3, 3, "lacks a \"=\""},
        Bad{"EnvBlankName", "FROM alpine\nENV A=1 =2\n", 2, 9, "blank"},
        Bad{"RunEmptyList", "FROM alpine\nRUN []\n", 2, 5, "empty"},
        Bad{"CopyOne", "FROM alpine\nCOPY a\n", 2, 6, "at least two"},
        Bad{"CopyUrl", "FROM alpine\nCOPY a https://x/y /z/\n", 2, 8, "not the URL"},
        Bad{"LoneContinuation", "FROM alpine\n\\\n", 2, 1, "continues nothing"},
        Bad{"VolumeEmpty", "FROM alpine\nVOLUME [\" \"]\n", 2, 8, "may not be empty"},
        Bad{"HealthKind", "FROM alpine\nHEALTHCHECK RUN x\n", 2, 13, "NONE or CMD"},
        Bad{"HealthNear", "FROM alpine\nHEALTHCHECK CDM x\n", 2, 13, "NONE or CMD", "CMD"},
        Bad{"HealthNegative", "FROM alpine\nHEALTHCHECK --timeout=-1s CMD x\n", 2, 13, "negative"},
        Bad{"HealthShort", "FROM alpine\nHEALTHCHECK --timeout=1us CMD x\n", 2, 13, "below 1ms"},
        Bad{"HealthRetries", "FROM alpine\nHEALTHCHECK --retries=-1 CMD x\n", 2, 13, "--retries"},
        Bad{"HealthInterval", "FROM alpine\nHEALTHCHECK --interval=soon CMD x\n", 2, 13, "duration"},
        Bad{"DirectiveTwice", "# escape=`\n# escape=`\nFROM alpine\n", 2, 1, "twice"},
        Bad{"DirectiveEscape", "# escape=x\nFROM alpine\n", 1, 10, "must be"}),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Heredocs, DockerfileError,
    ::testing::Values(
        Bad{"NoEnd", "FROM alpine\nRUN cat <<EOF\nx\n", 2, 9, "no line after it is only \"EOF\""},
        Bad{"NoEndAtAll", "FROM alpine\nCOPY <<a /x", 2, 6, "<<a"},
        Bad{"SecondHasNoEnd", "FROM alpine\nRUN cat <<a \\\n  <<b\nx\na\n", 3, 3, "only \"b\""},
        Bad{"BlanksAtTheEnd", "FROM alpine\nRUN <<EOF\nx\n  EOF \n", 2, 5, "no line",
            "line 4 has blanks around"},
        Bad{"TabsBeforeTheEnd", "FROM alpine\nRUN <<EOF\nx\n\tEOF\n", 2, 5, "no line", "<<- to allow tabs"},
        Bad{"AsDestination", "FROM alpine\nCOPY a <<EOF\nEOF\n", 2, 8, "lacks a destination"},
        Bad{"InsideQuotes", "FROM alpine\nCOPY \"a <<EOF b\" /x/\n", 2, 9, "inside quotes"},
        Bad{"NameWithBlanks", "FROM alpine\nCOPY << EOF /x/\nEOF\n", 2, 6, "without blanks"}),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Flags, DockerfileError,
    ::testing::Values(
        Bad{"FromOnAdd", "FROM alpine\nADD --from=x a b\n", 2, 5, "--from is a flag of COPY; ADD does not"},
        Bad{"ChecksumOnCopy", "FROM alpine\nCOPY --checksum=x a b\n", 2, 6, "--checksum is a flag of ADD"},
        Bad{"PlatformOnRun", "FROM alpine\nRUN --platform=x y\n", 2, 5, "--platform is a flag of FROM"},
        Bad{"CommandsFlag", "FROM alpine\nCMD --verbose\n", 2, 5, "unknown flag", "CMD -- --verbose"},
        Bad{"LinkMaybe", "FROM alpine\nCOPY --link=maybe a b\n", 2, 6, "true or false"},
        Bad{"LinkEmpty", "FROM alpine\nCOPY --link= a b\n", 2, 6, "true or false"},
        Bad{"LinkTwice", "FROM alpine\nADD --link --link=true a b\n", 2, 12, "given twice"},
        Bad{"NearMissCase", "FROM alpine\nADD --Keep-Git-Dir a b\n", 2, 5, "unknown flag", "--keep-git-dir"},
        Bad{"Security", "FROM alpine\nRUN --security=insecur x\n", 2, 5, "sandbox or insecure", "insecure"},
        Bad{"DeviceNothing", "FROM alpine\nRUN --device=required x\n", 2, 5, "a name is needed"},
        Bad{"DeviceOption", "FROM alpine\nRUN --device=a/b=c,reqired x\n", 2, 5, "reqired", "required"},
        Bad{"DeviceTwoNames", "FROM alpine\nRUN --device=a,name=b x\n", 2, 5, "already given"},
        Bad{"AddOne", "FROM alpine\nADD a\n", 2, 5, "ADD needs at least two"}),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Mounts, DockerfileError,
    ::testing::Values(
        Bad{"Csv", "FROM alpine\nRUN --mount=type=bind,\\\"x y\n", 2, 5, "not closed"},
        Bad{"CsvQuoteInside", "FROM alpine\nRUN --mount=target=a\\\"b\\\" y\n", 2, 5, "whole field"},
        Bad{"Empty", "FROM alpine\nRUN --mount= y\n", 2, 5, "nothing is given"},
        Bad{"KeyOnly", "FROM alpine\nRUN --mount=target y\n", 2, 5, "needs a value"},
        Bad{"FromVariable", "FROM alpine\nRUN --mount=from=$X,target=/x y\n", 2, 5, "takes no variables",
            "FROM … AS"},
        Bad{"Sharing", "FROM alpine\nRUN --mount=type=cache,target=/x,sharing=share y\n", 2, 5,
            "shared, private", "shared"},
        Bad{"SharingOnBind", "FROM alpine\nRUN --mount=target=/x,sharing=shared y\n", 2, 5,
            "for type cache, not for type bind"},
        Bad{"SizeOnCache", "FROM alpine\nRUN --mount=type=cache,target=/x,size=1m y\n", 2, 5,
            "for type tmpfs"},
        Bad{"Size", "FROM alpine\nRUN --mount=type=tmpfs,target=/x,size=1x y\n", 2, 5, "64m or 1g"},
        Bad{"RequiredOnBind", "FROM alpine\nRUN --mount=target=/x,required y\n", 2, 5,
            "for type secret, ssh"},
        Bad{"ModeOnBind", "FROM alpine\nRUN --mount=target=/x,mode=0755 y\n", 2, 5,
            "for type cache, secret, ssh"},
        Bad{"Readonly", "FROM alpine\nRUN --mount=target=/x,ro=maybe y\n", 2, 5, "\"ro\" is true or false"},
        Bad{"SecretFrom", "FROM alpine\nRUN --mount=type=secret,id=a,from=b y\n", 2, 5, "takes no \"from\""},
        Bad{"SecretBoth", "FROM alpine\nRUN --mount=type=secret,id=a,source=b y\n", 2, 5, "not both"},
        Bad{"SshSource", "FROM alpine\nRUN --mount=type=ssh,source=b y\n", 2, 5, "takes no \"source\""},
        Bad{"Env", "FROM alpine\nRUN --mount=type=secret,id=a,env=A=B y\n", 2, 5,
            "no name of an environment"}),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Onbuild, DockerfileError,
    ::testing::Values(
        Bad{"Nothing", "FROM alpine\nONBUILD\n", 2, 1, "needs an instruction"},
        Bad{"Chained", "FROM alpine\nONBUILD ONBUILD RUN x\n", 2, 9, "ONBUILD may not follow ONBUILD"},
        Bad{"From", "FROM alpine\nONBUILD FROM x\n", 2, 9, "FROM may not follow ONBUILD"},
        Bad{"Maintainer", "FROM alpine\nONBUILD \\\n  maintainer me\n", 3, 3, "MAINTAINER may not follow"},
        Bad{"Unknown", "FROM alpine\nONBUILD RNU x\n", 2, 9, "unknown instruction: RNU", "RUN"},
        Bad{"Arguments", "FROM alpine\nONBUILD COPY a\n", 2, 14, "at least two"},
        Bad{"OnlyAFlag", "FROM alpine\nONBUILD --x=<<E\n", 2, 9, "unknown flag --x"},
        Bad{"Flags", "FROM alpine\nONBUILD RUN --netwrk=none x\n", 2, 13, "--netwrk", "--network"},
        Bad{"HeredocNoEnd", "FROM alpine\nONBUILD RUN <<EOF\nx\n", 2, 13, "only \"EOF\""}),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Values, DockerfileError,
    ::testing::Values(
        Bad{"Required", "FROM alpine\nENV A=\"x${V:?give it}\"\n", 2, 9, "V: give it"},
        Bad{"RequiredLaterLine", "FROM alpine\nENV A=1 \\\n B=${V:?}\n", 3, 4, "V: must be set"},
        Bad{"QuoteOpen", "FROM alpine\nWORKDIR /a'b\n", 2, 11, "single quote"},
        Bad{"Port", "FROM alpine\nEXPOSE 80 http\n", 2, 11, "is no port"},
        Bad{"PortProtocol", "FROM alpine\nEXPOSE 80/icmp\n", 2, 8, "is no port"},
        Bad{"PortTooLarge", "FROM alpine\nEXPOSE 65536\n", 2, 8, "is no port"},
        Bad{"Signal", "FROM alpine\nSTOPSIGNAL SIGFOO\n", 2, 12, "is no signal"},
        Bad{"Chmod", "FROM alpine\nCOPY --chmod=0999 a b\n", 2, 6, "octal mode"},
        Bad{"ChmodSymbols", "FROM alpine\nCOPY --chmod=u+q a b\n", 2, 6, "or symbols", "u=rwX,go=rX"},
        Bad{"ChownColon", "FROM alpine\nCOPY --chown=: a b\n", 2, 6, "names neither"},
        Bad{"Network", "FROM alpine\nRUN --network=bridge x\n", 2, 5, "default, none or host"},
        Bad{"MountType", "FROM alpine\nRUN --mount=type=secrt,id=x y\n", 2, 5, "unknown mount type",
            "secret"},
        Bad{"MountKey", "FROM alpine\nRUN --mount=type=secret,id=x,requird y\n", 2, 5, "requird", "required"},
        Bad{"MountMode", "FROM alpine\nRUN --mount=type=secret,id=x,mode=8 y\n", 2, 5, "octal"},
        Bad{"MountUid", "FROM alpine\nRUN --mount=type=secret,id=x,uid=root y\n", 2, 5, "not a number"},
        Bad{"MountNoId", "FROM alpine\nRUN --mount=type=secret y\n", 2, 5, "an id or a target"},
        Bad{"FromBlank", "ARG X\nFROM $X\n", 2, 6, "is empty", "before the first FROM"},
        Bad{"FromRequired", "FROM a${X:?none}\n", 1, 7, "X: none"},
        Bad{"FromPlatform", "FROM --platform=linux/// alpine\n", 1, 6, ""},
        Bad{"FromPlatformBlank", "FROM --platform=$X alpine\n", 1, 6, "is empty"},
        Bad{"GlobalArg", "ARG A=${B:?missing}\nFROM alpine\n", 1, 7, "B: missing"}),
    [](const auto& row) { return row.param.name; });

TEST(ParseErrors, NulBytesAreRefused) {
  const std::string text("FROM a\nRUN x\0y\n", 15);
  try {
    dockerfile::parse("Dockerfile", text);
    FAIL();
  } catch (const InvalidInput& error) {
    EXPECT_EQ(error.location()->line, 2);
    EXPECT_EQ(error.location()->column, 6);
  }
}

TEST(ParseErrors, TooLongFilesAreRefused) {
  EXPECT_THROW(dockerfile::parse("Dockerfile", std::string((10U << 20) + 1, '#')), InvalidInput);
}

TEST(ParseErrors, TooManyAndTooLongInstructionsAreRefused) {
  std::string many = "FROM a\n";
  for (int i = 0; i < 100'000; ++i) many += "USER x\n";
  const auto refusal = [](const std::string& text) {
    try {
      dockerfile::parse("Dockerfile", text);
    } catch (const InvalidInput& error) {
      return error;
    }
    return InvalidInput("not refused");
  };
  EXPECT_EQ(refusal(many).location()->line, 100'001);
  const InvalidInput error = refusal("FROM a\nRUN " + std::string(2U << 20, 'x'));
  EXPECT_NE(refusal(std::string(2U << 20, '\n')).message().find("1000000 lines"), std::string::npos);
  EXPECT_NE(error.message().find("1 MiB"), std::string::npos);
  EXPECT_LT(describe(error).size(), 1'000U) << "an excerpt is short, however long the line";
}

TEST(ParseErrors, PathsThatGrowWithEachInstructionAreRefusedInTime) {
  std::string text = "FROM alpine\n";
  for (int i = 0; i < 3'000; ++i) text += "WORKDIR x\n";
  EXPECT_NE(refusal_of(text).message().find("longer than 4095"), std::string::npos);
}

TEST(ParseErrors, ManyArgumentsTimesManyStepsAreRefusedInTime) {
  std::string text = "FROM alpine\nARG";
  for (int i = 0; i < 6'000; ++i) text += concat(" A", i, "=1");
  text += '\n';
  for (int i = 0; i < 800; ++i) text += "RUN x\n";
  EXPECT_NE(refusal_of(text).message().find("too much text"), std::string::npos);
}

TEST(ParseErrors, ManyVariablesTimesManyStepsAreRefusedInTime) {
  std::string text = "FROM alpine\nENV";
  for (int i = 0; i < 4'000; ++i) text += concat(" A", i, "=");
  text += '\n';
  for (int i = 0; i < 5'000; ++i) text += "RUN x\n";
  EXPECT_NE(refusal_of(text).message().find("too much text"), std::string::npos);
}

TEST(ParseErrors, AShellOfManyWordsTimesManyStepsIsRefusedInTime) {
  std::string text = "FROM alpine\nSHELL [\"sh\"";
  for (int i = 0; i < 8'000; ++i) text += ",\"x\"";
  text += "]\n";
  for (int i = 0; i < 5'000; ++i) text += "RUN x\n";
  EXPECT_NE(refusal_of(text).message().find("too much text"), std::string::npos);
}

TEST(ParseErrors, PatternsOfManyStarsOverLongValuesAreRefusedInTime) {
  std::string text = "FROM alpine\nENV A=0123456789abcdef\n";
  for (int i = 0; i < 15; ++i) text += "ENV A=$A$A\n";
  std::string stars;
  for (int i = 0; i < 5'000; ++i) stars += "*a";
  for (const std::string& use : {concat("${A//", stars, "/y}"), concat("${A%%", stars, "}")})
    EXPECT_NE(refusal_of(concat(text, "ENV B=", use, "\n")).message().find("too much text"),
              std::string::npos);
}

TEST(ParseErrors, ManyStagesOnOneWithManyLabelsAreRefusedInTime) {
  std::string text = "FROM scratch AS a\nLABEL";
  for (int i = 0; i < 4'000; ++i) text += concat(" l", i, "=");
  text += '\n';
  for (int i = 0; i < 1'000; ++i) text += concat("FROM a AS b", i, "\n");
  text += "FROM scratch\n";
  for (int i = 0; i < 1'000; ++i) text += concat("COPY --from=b", i, " / /\n");
  EXPECT_NE(refusal_of(text).message().find("too much text"), std::string::npos);
}

TEST(ParseErrors, EmptyFilesAreRefused) {
  EXPECT_THROW(dockerfile::parse("Dockerfile", ""), InvalidInput);
  EXPECT_THROW(dockerfile::parse("Dockerfile", "# nothing\n\n"), InvalidInput);
  EXPECT_NE(std::string(refusal_of("ARG A\n").what()).find("no FROM"), std::string::npos);
}

TEST(ParseErrors, ExcerptHasTheCaretUnderTheWord) {
  EXPECT_EQ(
      describe(refusal_of("FROM alpine\n\tRNU make\n")),
      "Dockerfile:2:2: unknown instruction: RNU\n  2 | \tRNU make\n    | \t^\n  hint: did you mean RUN?");
}

}  // namespace
}  // namespace slipway::testing
