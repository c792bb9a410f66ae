#include "cache/cache_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/strings.h"

namespace slipway {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

const std::string kOne = Digest::of("one").str();
const std::string kTwo = Digest::of("two").str();

// As BuildKit writes one: the first layer's parent -1, links between records, times with a zone.
std::string buildkits() {
  return concat(R"({"layers":[{"blob":")", kOne, R"(","parent":-1},{"blob":")", kTwo, R"("}],)",
                R"("records":[{"digest":")", kOne,
                R"("},{"layers":[{"layer":1,"createdAt":"2024-05-01T12:00:00.5+02:00"}],)", R"("digest":")",
                kTwo, R"(","inputs":[[{"selector":"sha256:x","link":0},{"link":0}]]}]})");
}

std::string error_of(const std::string& text) {
  try {
    parse_cache_config(text);
  } catch (const InvalidInput& e) {
    return e.what();
  }
  return "none";
}

TEST(CacheConfig, ReadsWhatBuildKitWrites) {
  const CacheConfig config = parse_cache_config(buildkits());
  ASSERT_THAT(config.layers, SizeIs(2));
  EXPECT_EQ(config.layers[0].parent, -1);
  EXPECT_EQ(config.layers[1].parent, 0) << "Go leaves out zero";
  ASSERT_THAT(config.records, SizeIs(2));
  EXPECT_EQ(config.records[1].results.at(0).layer, 1);
  ASSERT_THAT(config.records[1].inputs, SizeIs(1));
  EXPECT_EQ(config.records[1].inputs[0].at(0).selector, "sha256:x");
}

TEST(CacheConfig, WrittenAndReadAgainIsTheSame) {
  CacheConfig config = parse_cache_config(buildkits());
  config.layers[1].diff_id = Digest::of("tar");
  config.layers[1].size = 7;
  config.layers[1].media_type = "application/x";
  config.records[0].chains = {{.layers = {0, 1}, .created = "2024-05-01T12:00:00Z"}};
  config.records[0].notes = CacheNotes{.description = "RUN x",
                                       .platform = "linux/arm64",
                                       .milliseconds = 5,
                                       .used = 9,
                                       .tree = Digest::of("t"),
                                       .emulation = "linux/arm64=twins"};
  const std::string text = to_json(config);
  EXPECT_EQ(to_json(parse_cache_config(text)), text);
  EXPECT_EQ(parse_cache_config(text).records[0].notes->description, "RUN x");
  EXPECT_EQ(parse_cache_config(text).records[0].notes->tree, Digest::of("t"));
  EXPECT_EQ(parse_cache_config(text).records[0].notes->emulation, "linux/arm64=twins");
}

TEST(CacheConfig, RefusesWhatPointsNowhere) {
  EXPECT_THAT(error_of(concat(R"({"layers":[{"blob":")", kOne, R"(","parent":5}]})")),
              HasSubstr("out of range"));
  EXPECT_THAT(error_of(concat(R"({"records":[{"digest":")", kOne, R"(","layers":[{"layer":0}]}]})")),
              HasSubstr("$.records[0].layers[0].layer"));
  EXPECT_THAT(error_of(concat(R"({"records":[{"digest":")", kOne, R"(","inputs":[[{"link":3}]]}]})")),
              HasSubstr("out of range"));
  EXPECT_THAT(error_of(R"({"records":[{"digest":"md5:0"}]})"), HasSubstr("digest"));
  EXPECT_THAT(error_of(concat(R"({"records":[{"digest":")", kOne, R"(","slipway":{"tree":"x"}}]})")),
              HasSubstr("$.records[0].slipway.tree"));
  EXPECT_THAT(error_of("[]"), HasSubstr("cache config"));
}

TEST(CacheConfig, RefusesLayersThatStandOnThemselves) {
  EXPECT_THAT(
      error_of(concat(R"({"layers":[{"blob":")", kOne, R"(","parent":1},{"blob":")", kTwo, R"("}]})")),
      HasSubstr("stands on itself"));
}

TEST(CacheConfig, TellsANewerForm) {
  EXPECT_FALSE(is_of_newer_form(to_json(CacheConfig{})));
  EXPECT_FALSE(is_of_newer_form(buildkits()));
  EXPECT_TRUE(is_of_newer_form(R"({"slipway":{"form":2},"records":"who knows"})"));
}

TEST(CacheConfig, InlineRecordsNameTheirTrees) {
  const std::string text =
      inline_json({{.digest = Digest::of("k"),
                    .notes = CacheNotes{.description = "x", .used = 5, .tree = Digest::of("t")}}});
  EXPECT_EQ(text, concat(R"([{"digest":")", Digest::of("k").str(), R"(","slipway":{"tree":")",
                         Digest::of("t").str(), R"("}}])"));
  EXPECT_EQ(parse_inline_records(text, 0).at(0).notes->tree, Digest::of("t"));
}

TEST(CacheConfig, InlineRecordsHaveNoOtherNotes) {
  const std::vector<CacheConfigRecord> records = {{.digest = Digest::of("k"),
                                                   .inputs = {},
                                                   .results = {{.layer = 1, .created = {}}},
                                                   .chains = {},
                                                   .notes = CacheNotes{.description = "x"}}};
  const std::string text = inline_json(records);
  EXPECT_EQ(text, concat(R"([{"layers":[{"layer":1}],"digest":")", Digest::of("k").str(), R"("}])"));
  EXPECT_EQ(parse_inline_records(text, 2).at(0).results.at(0).layer, 1);
  EXPECT_THROW(parse_inline_records(text, 1), InvalidInput);
}

}  // namespace
}  // namespace slipway
