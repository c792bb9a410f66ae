// What is wrong in a Dockerfile is said with file, line and column.
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
        Bad{"FlagOnLaterLine", "FROM alpine\nRUN \\\n  --netwrok=none make\n", 3, 3, "--netwrok", "--network"},
        Bad{"JsonComma", "FROM alpine\nCMD [\"a\", \"b\",]\n", 2, 15, "not valid JSON"},
        Bad{"JsonSingleQuotes", "FROM alpine\nENTRYPOINT ['a']\n", 2, 13, "double quotes"},
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
        Bad{"RunNothing", "FROM alpine\nRUN\n", 2, 1, "needs a command"},
        Bad{"RunEmptyList", "FROM alpine\nRUN []\n", 2, 5, "empty"},
        Bad{"CopyOne", "FROM alpine\nCOPY a\n", 2, 6, "at least two"},
        Bad{"CopyManyToFile", "FROM alpine\nCOPY a b c\n", 2, 10, "end it with \"/\""},
        Bad{"CopyUrl", "FROM alpine\nCOPY a https://x/y /z/\n", 2, 8, "not the URL"},
        Bad{"UserTwo", "FROM alpine\nUSER a b\n", 2, 8, "exactly one"},
        Bad{"HealthKind", "FROM alpine\nHEALTHCHECK RUN x\n", 2, 13, "NONE or CMD"},
        Bad{"HealthInterval", "FROM alpine\nHEALTHCHECK --interval=soon CMD x\n", 2, 13, "duration"},
        Bad{"DirectiveTwice", "# escape=`\n# escape=`\nFROM alpine\n", 2, 1, "twice"},
        Bad{"DirectiveEscape", "# escape=x\nFROM alpine\n", 1, 10, "must be"}),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    NotYet, DockerfileError,
    ::testing::Values(
        Bad{"Add", "FROM alpine\nADD a /b\n", 2, 1, "ADD is not supported yet", "COPY"},
        Bad{"Onbuild", "FROM alpine\nONBUILD RUN x\n", 2, 1, "ONBUILD is not supported yet"},
        Bad{"HeredocRun", "FROM alpine\nRUN cat <<EOF\nx\nEOF\n", 2, 9, "here-documents"},
        Bad{"HeredocCopy", "FROM alpine\nCOPY <<-\"E\" /x\nE\n", 2, 6, "here-documents"},
        Bad{"CopyLink", "FROM alpine\nCOPY --link a b\n", 2, 6, "--link is not supported yet"},
        Bad{"CopyParents", "FROM alpine\nCOPY --parents a b\n", 2, 6, "--parents is not supported yet"},
        Bad{"CopySymbolicMode", "FROM alpine\nCOPY --chmod=u+x a b\n", 2, 6, "symbolic modes"},
        Bad{"Security", "FROM alpine\nRUN --security=insecure x\n", 2, 5, "--security is not supported yet"},
        Bad{"Device", "FROM alpine\nRUN --device=x y\n", 2, 5, "--device is not supported yet"},
        Bad{"BindMount", "FROM alpine\nRUN --mount=target=/x y\n", 2, 5, "type=bind is not supported yet"},
        Bad{"CacheMount", "FROM alpine\nRUN --mount=type=cache,target=/x y\n", 2, 5, "type=cache is not supported yet"},
        Bad{"SshMount", "FROM alpine\nRUN --mount=type=ssh y\n", 2, 5, "type=ssh is not supported yet"}),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Values, DockerfileError,
    ::testing::Values(
        Bad{"Required", "FROM alpine\nENV A=\"x${V:?give it}\"\n", 2, 9, "V: give it"},
        Bad{"RequiredLaterLine", "FROM alpine\nENV A=1 \\\n B=${V:?}\n", 3, 4, "V: must be set"},
        Bad{"QuoteOpen", "FROM alpine\nWORKDIR /a'b\n", 2, 11, "single quote"},
        Bad{"WorkdirEmpty", "FROM alpine\nWORKDIR $NOPE\n", 2, 9, "empty"},
        Bad{"UserEmpty", "FROM alpine\nUSER $NOPE\n", 2, 6, "empty"},
        Bad{"Port", "FROM alpine\nEXPOSE 80 http\n", 2, 11, "is no port"},
        Bad{"PortProtocol", "FROM alpine\nEXPOSE 80/icmp\n", 2, 8, "is no port"},
        Bad{"PortTooLarge", "FROM alpine\nEXPOSE 65536\n", 2, 8, "is no port"},
        Bad{"Signal", "FROM alpine\nSTOPSIGNAL SIGFOO\n", 2, 12, "is no signal"},
        Bad{"Chmod", "FROM alpine\nCOPY --chmod=0999 a b\n", 2, 6, "octal mode"},
        Bad{"ChownEmpty", "FROM alpine\nCOPY --chown=$NOPE a b\n", 2, 6, "--chown takes"},
        Bad{"Network", "FROM alpine\nRUN --network=bridge x\n", 2, 5, "default, none or host"},
        Bad{"MountType", "FROM alpine\nRUN --mount=type=secrt,id=x y\n", 2, 5, "unknown mount type", "secret"},
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

TEST(ParseErrors, EmptyFilesAreRefused) {
  EXPECT_THROW(dockerfile::parse("Dockerfile", ""), InvalidInput);
  EXPECT_THROW(dockerfile::parse("Dockerfile", "# nothing\n\n"), InvalidInput);
  EXPECT_NE(std::string(refusal_of("ARG A\n").what()).find("no FROM"), std::string::npos);
}

TEST(ParseErrors, ExcerptHasTheCaretUnderTheWord) {
  EXPECT_EQ(describe(refusal_of("FROM alpine\n\tRNU make\n")),
            "Dockerfile:2:2: unknown instruction: RNU\n  2 | \tRNU make\n    | \t^\n  hint: did you mean RUN?");
}

}  // namespace
}  // namespace slipway::testing
