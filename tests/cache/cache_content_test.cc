#include "cache/cache_content.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/cached_results.h"

namespace slipway {
namespace {

using testing::ElementsAre;
using testing::SizeIs;
using testing_support::blob;
using testing_support::blobs_of;
using testing_support::cached_result;
using testing_support::kThen;

constexpr std::int64_t kDay = 24 * 3600;

TEST(Rfc3339, SecondsSinceTheEpoch) {
  EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(parse_rfc3339("2024-02-29T12:30:05Z"), 1709209805);
  EXPECT_EQ(parse_rfc3339("2024-02-29T14:30:05.123456789+02:00"), 1709209805);
  EXPECT_EQ(parse_rfc3339(rfc3339(kThen)), kThen);
}

TEST(Rfc3339, NothingElse) {
  for (const char* text :
       {"", "yesterday", "2024-13-01T00:00:00Z", "2024-02-30T00:00:00Z", "2024-02-29 00:00:00",
        "2024-02-29T25:00:00Z", "2024-02-29T00:00:00", "2024-02-29T00:00:00.5", "2024-02-29T00:00:00+1"})
    EXPECT_FALSE(parse_rfc3339(text)) << text;
}

TEST(CacheContent, FindsWhatWasMergedIn) {
  const CacheContent content(
      merge_cache({}, {cached_result("a", {"base", "one"}), cached_result("b", {"base", "two"})}, kThen));
  ASSERT_TRUE(content.find(Digest::of("a")));
  EXPECT_THAT(blobs_of(*content.find(Digest::of("a"))), ElementsAre(blob("base"), blob("one")));
  EXPECT_EQ(content.find(Digest::of("a"))->layers[1].diff_id, Digest::of("the tar of one"));
  EXPECT_EQ(content.find(Digest::of("a"))->layers[1].created, kThen);
  EXPECT_EQ(content.find(Digest::of("b"))->notes.description, "b");
  EXPECT_FALSE(content.find(Digest::of("c")));
}

TEST(CacheContent, CommonLayersAreThereOnce) {
  const CacheConfig config =
      merge_cache({}, {cached_result("a", {"base", "one"}), cached_result("b", {"base", "two"})}, kThen);
  EXPECT_THAT(config.layers, SizeIs(3));
}

TEST(CacheContent, OneBlobOnTwoGroundsIsTwoLayers) {
  const CacheContent content(
      merge_cache({}, {cached_result("a", {"x", "same"}), cached_result("b", {"y", "same"})}, kThen));
  EXPECT_THAT(blobs_of(*content.find(Digest::of("a"))), ElementsAre(blob("x"), blob("same")));
  EXPECT_THAT(blobs_of(*content.find(Digest::of("b"))), ElementsAre(blob("y"), blob("same")));
}

TEST(CacheContent, MergingLosesNothingOfOthers) {
  const CacheConfig one = merge_cache({}, {cached_result("amd64", {"x"})}, kThen);
  const CacheConfig both = merge_cache(one, {cached_result("arm64", {"y"})}, kThen);
  EXPECT_TRUE(
      contains_results(both, {cached_result("amd64", {"x"}), cached_result("arm64", {"y"})}, kThen, 0));
}

TEST(CacheContent, NewerResultOfAKeyStays) {
  const CacheConfig old = merge_cache({}, {cached_result("a", {"old"}, kThen)}, kThen);
  const CacheConfig newer = merge_cache(old, {cached_result("a", {"new"}, kThen + 1)}, kThen);
  EXPECT_THAT(blobs_of(*CacheContent(newer).find(Digest::of("a"))), ElementsAre(blob("new")));
  EXPECT_THAT(newer.layers, SizeIs(1)) << "what nothing needs goes";
  const CacheConfig again = merge_cache(newer, {cached_result("a", {"old"}, kThen)}, kThen);
  EXPECT_THAT(blobs_of(*CacheContent(again).find(Digest::of("a"))), ElementsAre(blob("new")));
  EXPECT_TRUE(contains_results(again, {cached_result("a", {"old"}, kThen)}, kThen, 0));
}

TEST(CacheContent, NameOfATreeIsAddedToARecordWithout) {
  CachedResult named = cached_result("a", {"base", "one"}),
               newer = cached_result("a", {"base", "two"}, kThen + 1);
  named.notes.tree = Digest::of("tree");
  const CacheConfig old = merge_cache({}, {cached_result("a", {"base", "one"})}, kThen);
  EXPECT_FALSE(CacheContent(old).find(Digest::of("a"))->notes.tree);
  EXPECT_EQ(CacheContent(merge_cache(old, {named}, kThen)).find(Digest::of("a"))->notes.tree,
            named.notes.tree);
  const CacheConfig of_others = merge_cache(merge_cache({}, {newer}, kThen), {named}, kThen);
  EXPECT_FALSE(CacheContent(of_others).find(Digest::of("a"))->notes.tree) << "it is another tree";
}

TEST(CacheContent, WhatIsSaidOfAResultIsNotSaidOfAnotherOne) {
  CachedResult mine = cached_result("a", {"base", "one"});
  mine.notes.emulation = "linux/arm64=emulator";
  CacheConfig of_others = merge_cache({}, {cached_result("a", {"base", "two"}, kThen + 1)}, kThen);
  of_others.records.at(0).notes.reset();
  EXPECT_EQ(CacheContent(merge_cache(of_others, {mine}, kThen)).find(Digest::of("a"))->notes.emulation, "");
  EXPECT_EQ(CacheContent(merge_cache({}, {mine}, kThen)).find(Digest::of("a"))->notes.emulation,
            mine.notes.emulation);
}

TEST(CacheContent, UnusedRecordsGoAfterAWhile) {
  CacheConfig config = merge_cache({}, {cached_result("old", {"base", "x"})}, kThen);
  config = merge_cache(config, {cached_result("new", {"base", "y"})}, kThen + 10 * kDay);
  EXPECT_TRUE(CacheContent(config).find(Digest::of("old")));
  config = merge_cache(config, {cached_result("new", {"base", "y"})}, kThen + 20 * kDay);
  EXPECT_FALSE(CacheContent(config).find(Digest::of("old")));
  EXPECT_THAT(config.layers, SizeIs(2));
}

TEST(CacheContent, LongestUnusedGoBeyondTheSize) {
  CacheConfig config = merge_cache({}, {cached_result("old", {"x1", "x2"})}, kThen);
  config = merge_cache(config, {cached_result("middle", {"y1", "y2"})}, kThen + 1);
  const CacheConfig small = merge_cache(config, {cached_result("new", {"z"})}, kThen + 2, {.most_layers = 2});
  EXPECT_TRUE(CacheContent(small).find(Digest::of("new")));
  EXPECT_TRUE(CacheContent(small).find(Digest::of("middle")));
  EXPECT_FALSE(CacheContent(small).find(Digest::of("old")));
}

TEST(CacheContent, OthersRecordsWithLinksAreKeptAndNoResults) {
  CacheConfig config;
  config.layers = {{.blob = Digest::of("l"), .parent = -1}};
  config.records = {{.digest = Digest::of("root")},
                    {.digest = Digest::of("step"),
                     .inputs = {{{.selector = "s", .link = 0}}},
                     .results = {{.layer = 0, .created = rfc3339(kThen)}}}};
  EXPECT_FALSE(CacheContent(config).find(Digest::of("step")));
  const CacheConfig merged = merge_cache(config, {cached_result("a", {"x"})}, kThen);
  ASSERT_THAT(merged.records, SizeIs(3));
  EXPECT_EQ(merged.records[1].inputs.at(0).at(0).link, 0);
  EXPECT_EQ(merged.records[0].digest, Digest::of("root"));
  EXPECT_TRUE(CacheContent(merged).find(Digest::of("a")));
}

TEST(CacheContent, AppendedCacheKeepsItsOwnIndices) {
  CacheConfig config = merge_cache({}, {cached_result("a", {"x", "y"})}, kThen);
  append_cache(config, merge_cache({}, {cached_result("b", {"x", "z"})}, kThen));
  EXPECT_THAT(blobs_of(*CacheContent(config).find(Digest::of("b"))), ElementsAre(blob("x"), blob("z")));
}

TEST(CacheContent, StaleUseIsNotContained) {
  const CacheConfig config = merge_cache({}, {cached_result("a", {"x"})}, kThen);
  EXPECT_TRUE(contains_results(config, {cached_result("a", {"x"})}, kThen + kDay, kDay));
  EXPECT_FALSE(contains_results(config, {cached_result("a", {"x"})}, kThen + 2 * kDay, kDay));
  EXPECT_FALSE(contains_results(config, {cached_result("b", {"x"})}, kThen, kDay));
}

}  // namespace
}  // namespace slipway
