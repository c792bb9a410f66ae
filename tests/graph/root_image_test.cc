#include "graph/root_image.h"

#include <gtest/gtest.h>

namespace slipway {
namespace {

class RootImage : public testing::Test {
 protected:
  Digest add(std::vector<Digest> inputs, decltype(Op::what) what) {
    Op op{.inputs = {}, .what = std::move(what), .platform = {}};
    for (const Digest& input : inputs) op.inputs.push_back({input});
    return graph_.add(std::move(op), {}, {});
  }
  Digest image(const std::string& name) {
    return add({}, SourceOp{.identifier = "docker-image://" + name, .attrs = {}});
  }
  /// A process on the second input, which reads the first.
  Digest run(const Digest& read, const Digest& root) {
    return add({read, root}, ExecOp{.args = {"true"},
                                    .mounts = {{.input = 0, .dest = "/from", .readonly = true},
                                               {.input = 1, .dest = "/", .output = 0}}});
  }
  const Vertex* root_of(const Digest& vertex) { return root_image(graph_, vertex); }

  Graph graph_;
};

TEST_F(RootImage, IsThatOfWhatAProcessChangesNotOfWhatItReads) {
  const Digest base = image("base"), tools = image("tools");
  EXPECT_EQ(root_of(run(tools, run(tools, base)))->digest, base);
}

TEST_F(RootImage, IsFollowedThroughEarlierActionsOfOneOperation) {
  const Digest base = image("base"), other = image("other");
  const Digest files =
      add({other, base}, FileOp{{MkdirAction{.base = 1, .path = "/a"},
                                 CopyAction{.base = 2, .from = 0, .src = "/", .dest = "/a"}}});
  EXPECT_EQ(root_of(files)->digest, base);
}

TEST_F(RootImage, LayersStandOnWhatIsChangedAndOnAllThatIsMerged) {
  const Digest base = image("base"), tools = image("tools");
  EXPECT_EQ(layer_inputs(graph_.at(run(tools, base)).op), std::vector<int>{1});
  EXPECT_EQ(layer_inputs(graph_.at(add({base, tools}, MergeOp{})).op), (std::vector<int>{0, 1}));
  EXPECT_TRUE(layer_inputs(graph_.at(base).op).empty());
}

TEST_F(RootImage, IsTheLowestOfMergedTrees) {
  const Digest base = image("base");
  EXPECT_EQ(root_of(add({base, image("other")}, MergeOp{}))->digest, base);
}

TEST_F(RootImage, IsNothingForARootThatBeginsEmptyOrElsewhere) {
  EXPECT_EQ(root_of(add({}, FileOp{{MkdirAction{.base = kNoInput, .path = "/a"}}})), nullptr);
  EXPECT_EQ(root_of(add({}, SourceOp{.identifier = "local://context", .attrs = {}})), nullptr);
  EXPECT_EQ(root_of(add({}, ExecOp{.args = {"true"}})), nullptr);
}

}  // namespace
}  // namespace slipway
