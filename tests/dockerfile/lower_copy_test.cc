#include <gmock/gmock.h>

#include "dockerfile/lowering.h"

namespace slipway::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<CopyAction> copies_of(const dockerfile::Lowered& lowered) {
  std::vector<CopyAction> out;
  for (const FileOp& op : ops_of<FileOp>(lowered))
    for (const FileAction& action : op.actions)
      if (const auto* copy = std::get_if<CopyAction>(&action)) out.push_back(*copy);
  return out;
}
CopyAction copy_of(std::string_view text) { return copies_of(lower_text(text)).back(); }

TEST(LowerCopy, TakesFromTheContext) {
  auto options = options_for({"linux/amd64"});
  options.ignore_patterns = {"*.o", "!keep \"x\".o"};
  const auto lowered = lower_text("FROM alpine\nCOPY a b/ /d/\n", options);
  const Vertex& copy = lowered.graph.vertices().back();
  ASSERT_EQ(copy.op.inputs.size(), 2U);
  EXPECT_FALSE(copy.op.platform);
  const Vertex& context = lowered.graph.at(copy.op.inputs[1].vertex);
  EXPECT_EQ(context.info.name, "[internal] load build context");
  EXPECT_FALSE(context.op.platform);
  const auto& source = std::get<SourceOp>(context.op.what);
  EXPECT_EQ(source.identifier, "local://context");
  EXPECT_EQ(source.attrs.at(kAttrExcludePatterns), R"(["*.o","!keep \"x\".o"])");
  const auto actions = copies_of(lowered);
  ASSERT_EQ(actions.size(), 2U);
  EXPECT_EQ(actions[0].base, 0);
  EXPECT_EQ(actions[0].from, 1);
  EXPECT_EQ(actions[0].src, "/a");
  EXPECT_EQ(actions[1].base, 2);
  EXPECT_EQ(actions[1].src, "/b");
  EXPECT_EQ(actions[1].dest, "/d/");
  EXPECT_FALSE(actions[0].owner) << "a context is root's anyway";
  EXPECT_FALSE(actions[0].mode);
}

TEST(LowerCopy, TheContextIsOneVertex) {
  const auto lowered =
      lower_text("FROM alpine\nCOPY a /a\nCOPY b /b\n", options_for({"linux/amd64", "linux/arm64"}));
  EXPECT_EQ(
      std::count_if(lowered.graph.vertices().begin(), lowered.graph.vertices().end(),
                    [](const Vertex& vertex) { return vertex.info.name == "[internal] load build context"; }),
      1);
}

struct Dest {
  const char* name;
  const char* arguments;
  const char* src;
  const char* dest;
};
void PrintTo(const Dest& row, std::ostream* out) { *out << row.arguments; }
class CopyPaths : public ::testing::TestWithParam<Dest> {};
TEST_P(CopyPaths, AreResolved) {
  const CopyAction copy =
      copy_of(concat("FROM alpine\nENV D=dir\nWORKDIR /work\nCOPY ", GetParam().arguments, "\n"));
  EXPECT_EQ(copy.src, GetParam().src);
  EXPECT_EQ(copy.dest, GetParam().dest);
}
INSTANTIATE_TEST_SUITE_P(
    Rows, CopyPaths,
    ::testing::Values(Dest{"Dot", ". .", "/", "/work/"}, Dest{"Relative", "./a b", "/a", "/work/b"},
                      Dest{"DirSlash", "a/ b/", "/a", "/work/b/"}, Dest{"Absolute", "/a /b", "/a", "/b"},
                      Dest{"OutOfRoot", "../../a ../../../b", "/a", "/b"},
                      Dest{"Variable", "$D/x /$D/", "/dir/x", "/dir/"}, Dest{"Root", "a /", "/a", "/"},
                      Dest{"DotEnd", "a x/.", "/a", "/work/x/"},
                      Dest{"Json", "[\"a b\", \"c d/\"]", "/a b", "/work/c d/"},
                      Dest{"Wildcard", "*.txt t/", "/*.txt", "/work/t/"},
                      Dest{"CharacterClass", "[ab].c x/", "/[ab].c", "/work/x/"}),
    [](const auto& row) { return row.param.name; });

TEST(LowerCopy, FromAStageKeepsOwners) {
  const auto lowered =
      lower_text("FROM golang AS b\nRUN x\nFROM alpine\nCOPY --from=B /x /y\nCOPY --from=0 /x /z\n");
  const auto actions = copies_of(lowered);
  ASSERT_EQ(actions.size(), 2U);
  EXPECT_FALSE(actions[0].owner);
  const Vertex& copy = lowered.graph.vertices().back();
  EXPECT_THAT(lowered.graph.at(copy.op.inputs[1].vertex).info.name, HasSubstr("RUN x"));
}

TEST(LowerCopy, FromTheStagesOwnBaseIsOneInput) {
  const auto lowered = lower_text("FROM alpine AS a\nFROM a\nCOPY --from=a /x /y\n");
  EXPECT_EQ(lowered.graph.vertices().back().op.inputs.size(), 1U);
  EXPECT_EQ(copies_of(lowered)[0].from, 0);
}

TEST(LowerCopy, FromAnImageResolvesIt) {
  const auto lowered = lower_text("FROM scratch\nCOPY --from=alpine /x /y\n");
  EXPECT_THAT(names_of(lowered),
              ElementsAre(HasSubstr("[internal] FROM docker.io/library/alpine:latest@sha256:"),
                          "[1/1] COPY --from=alpine /x /y"));
  EXPECT_EQ(copies_of(lowered)[0].base, kNoInput);
  EXPECT_EQ(copies_of(lowered)[0].from, 0);
}

TEST(LowerCopy, FromAnEmptyStageHasNoInput) {
  const auto lowered = lower_text("FROM scratch AS e\nFROM scratch\nCOPY --from=e /x /y\n");
  EXPECT_TRUE(lowered.graph.vertices().back().op.inputs.empty());
  EXPECT_EQ(copies_of(lowered)[0].from, kNoInput);
}

TEST(LowerCopy, OwnerModeAndExclude) {
  const CopyAction copy = copy_of(
      "FROM alpine\nARG U=app\nCOPY --chown=$U:staff --chmod=0750 --exclude=*.md --exclude=$U/* a /b\n");
  EXPECT_EQ(copy.owner, (Owner{"app", "staff"}));
  EXPECT_EQ(copy.mode, 0750U);
  EXPECT_THAT(copy.exclude, ElementsAre("*.md", "$U/*"));
  EXPECT_EQ(copy_of("FROM alpine\nCOPY --chown=10 a /b\n").owner, (Owner{"10", ""}));
}

TEST(LowerCopy, HistoryNamesWhatWasCopied) {
  EXPECT_EQ(
      config_of("FROM alpine\nENV A=x\nCOPY --chown=1:2 --chmod=644 $A b ./\n").history.back().created_by,
      "COPY --chown=1:2 --chmod=644 x b ./ # slipway");
}

TEST(LowerCopy, VariablesAreLookedAtAgainWhenKnown) {
  EXPECT_NO_THROW(lower_text("FROM alpine\nARG D=/x/\nCOPY a b $D\n"));
  const auto lowered = lower_text("FROM alpine\nCOPY $NOPE /x\n");
  EXPECT_EQ(copies_of(lowered)[0].src, "/");
  EXPECT_THAT(lowered.warnings.at(0), HasSubstr("the source \"$NOPE\" is empty"));
}

TEST(LowerCopy, SeveralSourcesToWhatMayBeADirectoryAreWarnedOf) {
  const auto lowered = lower_text("FROM alpine\nARG D=/x\nCOPY a b $D\n");
  EXPECT_THAT(lowered.warnings, ElementsAre(HasSubstr("end it with \"/\"")));
  EXPECT_EQ(copies_of(lowered).size(), 2U);
  EXPECT_TRUE(lower_text("FROM alpine\nCOPY a b .\n").warnings.empty());
}

}  // namespace
}  // namespace slipway::testing
