// Definitions that BuildKit's own client library and Dockerfile frontend have written (version 0.32): a
// Dockerfile with most of what one can say, a process with every kind of mount, every file action, merges and
// diffs.
#include <gtest/gtest.h>

#include "base/files.h"
#include "base/strings.h"
#include "graph/codec.h"
#include "graph/definition.h"

namespace slipway {
namespace {

class BuildkitDefinition : public testing::TestWithParam<const char*> {
 protected:
  Definition read() {
    return decode_definition(read_file(std::filesystem::path(SLIPWAY_BUILDKIT_DEFINITIONS) / GetParam()));
  }
};

TEST_P(BuildkitDefinition, ComesBackByteForByte) {
  const Definition definition = read();
  EXPECT_GE(definition.graph.vertices().size(), 3U);
  for (const Vertex& vertex : definition.graph.vertices()) {
    EXPECT_EQ(Digest::of(encode_op(vertex.op)), vertex.digest) << vertex.info.name;
    EXPECT_FALSE(vertex.info.name.empty());
  }
}

INSTANTIATE_TEST_SUITE_P(All, BuildkitDefinition, testing::Values("dockerfile", "exec", "file", "merge-diff"),
                         [](const auto& row) {
                           return std::string(row.param).substr(0, std::string(row.param).find('-'));
                         });

TEST(BuildkitDefinitions, HaveNamesAndPlaces) {
  const Definition definition =
      decode_definition(read_file(std::filesystem::path(SLIPWAY_BUILDKIT_DEFINITIONS) / "dockerfile"));
  const VertexInfo& last = definition.graph.at(definition.result).info;
  EXPECT_EQ(last.name, "[stage-1 3/3] RUN --network=none true");
  ASSERT_TRUE(last.location);
  EXPECT_EQ(last.location->file, "Dockerfile");
  EXPECT_EQ(last.location->line_text, "RUN --network=none true");
}

}  // namespace
}  // namespace slipway
