// What caches keep of cache mounts.
#include "cache/cache_mount_records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "cache/cache_config.h"
#include "cache/cache_manifest.h"
#include "cache/cached_results.h"
#include "manifest/media_types.h"

namespace slipway {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing_support::cached_result;
using testing_support::kThen;

constexpr std::int64_t kDay = std::int64_t{24} * 3600;

CacheMountKey key(const std::string& name, const std::string& platform = "linux/amd64") {
  return {.name = name, .platform = platform};
}

MountUpload upload(const std::string& name, const std::string& content,
                   const std::string& platform = "linux/amd64") {
  return {.saved = {{.key = key(name, platform),
                     .id = name,
                     .blob = {.media_type = std::string(media_type::kOciLayerZstd),
                              .digest = Digest::of(content),
                              .size = content.size()},
                     .diff_id = Digest::of("tar of " + content)}},
          .used = {key(name, platform)}};
}

std::vector<CacheConfigMount> with(std::vector<CacheConfigMount> present, const MountUpload& added,
                                   std::int64_t now = kThen) {
  return merge_mounts(std::move(present), added, now, 14 * kDay);
}

Digest blob_of(const std::vector<CacheConfigMount>& mounts, const CacheMountKey& wanted) {
  const auto found = find_mount(mounts, wanted);
  return found ? found->blob : Digest::of("nothing");
}

TEST(CacheMountRecords, EachPlatformHasItsOwn) {
  const auto mounts =
      with(with({}, upload("m", "x", "linux/amd64")), upload("m", "y", "linux/arm64"), kThen + 5);
  EXPECT_EQ(blob_of(mounts, key("m", "linux/amd64")), Digest::of("x"));
  EXPECT_EQ(blob_of(mounts, key("m", "linux/arm64")), Digest::of("y"));
  EXPECT_EQ(blob_of(mounts, key("m", "linux/s390x")), Digest::of("y")) << "a name is one cache: the newest";
  EXPECT_FALSE(find_mount(mounts, key("other")));
}

TEST(CacheMountRecords, LaterContentReplacesEarlier) {
  const auto mounts = with(with({}, upload("m", "x")), upload("m", "y"), kThen + 1);
  ASSERT_THAT(mounts, SizeIs(1));
  EXPECT_EQ(mounts[0].blob, Digest::of("y"));
  EXPECT_TRUE(contains_mounts(mounts, upload("m", "x"), kThen, kDay)) << "whoever was later is right";
  EXPECT_FALSE(contains_mounts(mounts, upload("m", "z"), kThen + 2, kDay));
}

TEST(CacheMountRecords, SameContentIsNotSavedAgain) {
  const auto mounts = with({}, upload("m", "x"));
  EXPECT_TRUE(contains_mounts(mounts, upload("m", "x"), kThen + 5, kDay));
  EXPECT_FALSE(contains_mounts(mounts, upload("m", "x"), kThen + 2 * kDay, kDay)) << "its use is noted";
}

TEST(CacheMountRecords, UnusedOnesAreDropped) {
  const auto mounts = with({}, upload("m", "x"));
  EXPECT_THAT(with(mounts, {}, kThen + 15 * kDay), IsEmpty());
  const auto renewed = with(mounts, {.saved = {}, .used = {key("m")}}, kThen + 10 * kDay);
  EXPECT_THAT(with(renewed, {}, kThen + 15 * kDay), SizeIs(1));
}

TEST(CacheMountRecords, DocumentsKeepThem) {
  CacheConfig config = merge_cache({}, {cached_result("a", {"l"})}, kThen);
  config.mounts = with({}, upload("m\nfrom", "x"));
  const CacheConfig read = parse_cache_config(to_json(config));
  EXPECT_EQ(to_json(read), to_json(config));
  EXPECT_EQ(blob_of(read.mounts, key("m\nfrom")), Digest::of("x"));
  EXPECT_EQ(to_json(merge_cache(read, {}, kThen)), to_json(config)) << "merging results keeps mounts";
  EXPECT_THROW(parse_cache_config(R"({"slipway":{"mounts":[{}]}})"), InvalidInput);
}

TEST(CacheMountRecords, ArtefactsReferToTheirBlobs) {
  CacheConfig config = merge_cache({}, {cached_result("a", {"l"})}, kThen);
  config.mounts = with({}, upload("m", "x"));
  for (const CacheForm& form : {CacheForm{}, CacheForm{.image_manifest = false}}) {
    const CacheArtefact artefact = write_cache_artefact(config, form);
    EXPECT_THAT(artefact.bytes, HasSubstr("slipway.cache-mount"));
    EXPECT_THAT(blobs_of_cache_artefact(artefact.bytes), SizeIs(3));
    const FoundCache found = read_cache_artefact(
        artefact.bytes, {.manifest = {}, .blob = [&](const Descriptor&) { return artefact.config; }}, {});
    EXPECT_EQ(to_json(found.config), to_json(config));
  }
}

}  // namespace
}  // namespace slipway
