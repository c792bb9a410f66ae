#include "cache/content_key.h"

#include <gtest/gtest.h>

#include "cache/cache_key.h"

namespace slipway {
namespace {

const Digest kBase = Digest::of("base"), kStage = Digest::of("stage");

Vertex vertex_of(decltype(Op::what) what) {
  return {.digest = Digest::of("vertex"),
          .op = {.inputs = {{kBase}, {kStage}}, .what = std::move(what), .platform = {}},
          .info = {},
          .lanes = {}};
}

TEST(InputReads, CopyChangesItsBaseAndReadsAPart) {
  const auto reads =
      input_reads(vertex_of(FileOp{{CopyAction{.base = 0, .from = 1, .src = "/out", .dest = "/"}}}));
  ASSERT_EQ(reads.size(), 2U);
  EXPECT_TRUE(reads[0].whole);
  EXPECT_FALSE(reads[1].whole);
  ASSERT_EQ(reads[1].selections.size(), 1U);
  EXPECT_EQ(reads[1].selections[0].src, "/out");
}

TEST(InputReads, TreeThatIsCopiedIntoItselfCountsWhole) {
  const auto reads = input_reads(vertex_of(FileOp{
      {CopyAction{.base = 0, .from = 0, .src = "/a", .dest = "/b"}, MkdirAction{.base = 1, .path = "/d"}}}));
  EXPECT_TRUE(reads[0].whole);
  EXPECT_TRUE(reads[1].whole);
}

TEST(InputReads, EarlierActionsAreNoInputs) {
  const auto reads =
      input_reads(vertex_of(FileOp{{CopyAction{.base = 0, .from = 1, .src = "/a", .dest = "/"},
                                    CopyAction{.base = 2, .from = 1, .src = "/b", .dest = "/"}}}));
  EXPECT_EQ(reads[1].selections.size(), 2U);
}

struct MountCase {
  const char* name;
  Mount mount;
  bool whole;
};
inline void PrintTo(const MountCase& row, std::ostream* out) { *out << row.name; }

class MountReads : public testing::TestWithParam<MountCase> {};

TEST_P(MountReads, AreAsTheStepSeesThem) {
  ExecOp exec{.args = {"make"}};
  exec.mounts.push_back({.input = 0, .dest = "/", .output = 0});
  exec.mounts.push_back(GetParam().mount);
  const auto reads = input_reads(vertex_of(exec));
  EXPECT_TRUE(reads[0].whole);
  EXPECT_EQ(reads[1].whole, GetParam().whole);
  EXPECT_EQ(reads[1].selections.size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(
    Of, MountReads,
    testing::Values(
        MountCase{"ReadOnly", {.input = 1, .selector = "/src", .dest = "/mnt", .readonly = true}, false},
        MountCase{"WritableWhoseChangesAreDropped", {.input = 1, .dest = "/mnt"}, false},
        MountCase{"WhoseChangesAreKept", {.input = 1, .dest = "/mnt", .output = 1}, true},
        MountCase{"StartOfACache",
                  {.type = MountType::Cache, .input = 1, .dest = "/c", .cache = CacheMount{"c"}},
                  true}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(ContentKey, IsOfTheOpAndWhatItReadsAlone) {
  const FileOp copy{{CopyAction{.base = 0, .from = 1, .src = "/out", .dest = "/"}}};
  Vertex one = vertex_of(copy), two = vertex_of(copy);
  two.digest = Digest::of("another vertex");
  two.op.inputs = {{Digest::of("another base")}, {kStage}};
  two.info.name = "another name";
  EXPECT_EQ(content_key(one, {"a", "b"}), content_key(two, {"a", "b"}));
  EXPECT_NE(content_key(one, {"a", "b"}), content_key(one, {"a", "c"}));
  EXPECT_NE(content_key(one, {"a", "b"}), content_key(one, {"ab"}));
  const Vertex other = vertex_of(FileOp{{CopyAction{.base = 0, .from = 1, .src = "/out", .dest = "/x"}}});
  EXPECT_NE(content_key(one, {"a", "b"}), content_key(other, {"a", "b"}));
}

}  // namespace
}  // namespace slipway
