#include "graph/graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace slipway {
namespace {

const Platform kAmd64 = Platform::parse("linux/amd64");
const Platform kArm64 = Platform::parse("linux/arm64");

Op source(const std::string& name, const std::optional<Platform>& platform = {}) {
  return {.inputs = {}, .what = SourceOp{.identifier = name, .attrs = {}}, .platform = platform};
}
Op copy(const Digest& base, const Digest& from) {
  return {.inputs = {{base}, {from}},
          .what = FileOp{{CopyAction{.base = 0, .from = 1, .src = "/a", .dest = "/a"}}},
          .platform = {}};
}

TEST(Graph, EqualWorkOfTwoPlatformsIsOneVertex) {
  Graph graph;
  const Digest first = graph.add(source("local://context"), {.name = "context"}, kAmd64);
  const Digest second = graph.add(source("local://context"), {.name = "context"}, kArm64);
  EXPECT_EQ(first, second);
  ASSERT_EQ(graph.vertices().size(), 1U);
  EXPECT_THAT(graph.at(first).lanes, testing::ElementsAre(kAmd64, kArm64));
}

TEST(Graph, PlatformMakesAnotherVertex) {
  Graph graph;
  EXPECT_NE(graph.add(source("docker-image://a", kAmd64), {}, kAmd64),
            graph.add(source("docker-image://a", kArm64), {}, kArm64));
}

TEST(Graph, NamesAndPlacesAreNoPartOfTheDigest) {
  Graph a, b;
  EXPECT_EQ(a.add(source("x"), {.name = "one"}, {}),
            b.add(source("x"), {.name = "two", .ignore_cache = true}, {}));
}

TEST(Graph, ReachableIsInTopologicalOrderAndLeavesTheRestOut) {
  Graph graph;
  const Digest base = graph.add(source("base"), {}, {});
  const Digest unused = graph.add(source("unused"), {}, {});
  const Digest context = graph.add(source("context"), {}, {});
  const Digest result = graph.add(copy(base, context), {}, {});
  EXPECT_THAT(graph.reachable_from({result}), testing::ElementsAre(base, context, result));
  EXPECT_TRUE(graph.contains(unused));
}

}  // namespace
}  // namespace slipway
