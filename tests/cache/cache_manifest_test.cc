#include "cache/cache_manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/error.h"
#include "cache/cached_results.h"

namespace slipway {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using testing_support::blob;
using testing_support::blobs_of;
using testing_support::cached_result;
using testing_support::kThen;

/// Where documents are, by digest.
class CacheManifest : public testing::Test {
 protected:
  CacheDocuments documents() {
    const auto get = [this](const Descriptor& wanted) {
      const auto found = bytes.find(wanted.digest);
      if (found == bytes.end()) throw NotFound(wanted.digest.str());
      return found->second;
    };
    return {.manifest = get, .blob = get};
  }
  Descriptor put(const std::string& type, const std::string& text) {
    bytes[Digest::of(text)] = text;
    return {.media_type = type, .digest = Digest::of(text), .size = text.size()};
  }
  FoundCache read(const std::string& manifest) {
    return read_cache_artefact(manifest, documents(),
                               {Platform::parse("linux/amd64"), Platform::parse("linux/arm64")});
  }
  std::string image(const char* platform, const std::string& layer, const std::string& inline_cache) {
    ImageConfig document{.platform = Platform::parse(platform)};
    document.diff_ids = {Digest::of(concat("the tar of ", layer))};
    document.history = {{.created = rfc3339(kThen)}};
    document.inline_cache = inline_cache;
    Manifest manifest{.media_type = std::string(media_type::kOciManifest)};
    manifest.config = put(std::string(media_type::kOciConfig), to_json(document));
    manifest.layers = {
        {.media_type = std::string(media_type::kOciLayerGzip), .digest = Digest::of(layer), .size = 5}};
    return to_json(manifest);
  }
  static std::string record(const std::string& key) {
    return inline_json({{.digest = Digest::of(key),
                         .inputs = {},
                         .results = {{.layer = 0, .created = {}}},
                         .chains = {},
                         .notes = {}}});
  }
  std::map<Digest, std::string> bytes;
  const CacheConfig config =
      merge_cache({}, {cached_result("a", {"base", "one"}), cached_result("b", {"other", "one"})}, kThen);
};

TEST_F(CacheManifest, ArtefactIsReadAsItWasWritten) {
  for (const CacheForm form : {CacheForm{}, CacheForm{.image_manifest = false},
                               CacheForm{.image_manifest = false, .oci_types = false}}) {
    const CacheArtefact artefact = write_cache_artefact(config, form);
    put("config", artefact.config);
    const FoundCache found = read(artefact.bytes);
    EXPECT_EQ(found.kind, FoundCache::Kind::Cache) << found.problem;
    EXPECT_EQ(found.version, Digest::of(artefact.bytes).str());
    EXPECT_EQ(to_json(found.config), to_json(config));
  }
}

TEST_F(CacheManifest, OneBlobThatTwoStepsMadeHasTwoTimes) {
  CacheConfig twice = config;
  std::vector<std::string> times;
  for (CacheConfigLayer& layer : twice.layers) {
    layer.created = rfc3339(kThen + static_cast<std::int64_t>(times.size()));
    times.push_back(layer.created);
  }
  ASSERT_EQ(times.size(), 4U);  // "one" stands on "base" and on "other"
  const CacheArtefact artefact = write_cache_artefact(twice, {});
  put("config", artefact.config);
  const FoundCache found = read(artefact.bytes);
  ASSERT_EQ(found.config.layers.size(), times.size());
  for (std::size_t i = 0; i < times.size(); ++i) EXPECT_EQ(found.config.layers[i].created, times[i]) << i;
}

TEST_F(CacheManifest, HasTheFormThatBuildKitReads) {
  const CacheArtefact artefact = write_cache_artefact(config, {});
  const Manifest manifest = parse_manifest(artefact.bytes).value;
  EXPECT_EQ(manifest.config->media_type, kCacheConfigType);
  ASSERT_THAT(manifest.layers, SizeIs(3)) << "each blob once";
  EXPECT_EQ(manifest.layers[0].annotations.at("containerd.io/uncompressed"), blob("the tar of base"));
  EXPECT_EQ(manifest.layers[0].annotations.at("buildkit/createdat"), rfc3339(kThen));
  const Index index = parse_index(write_cache_artefact(config, {.image_manifest = false}).bytes).value;
  EXPECT_EQ(index.manifests.back().media_type, kCacheConfigType);
  EXPECT_THAT(index.manifests, SizeIs(4));
}

TEST_F(CacheManifest, ImagesGiveWhatTheyCarry) {
  Index index{.media_type = std::string(media_type::kOciIndex)};
  for (const char* platform : {"linux/amd64", "linux/arm64", "linux/s390x"}) {
    index.manifests.push_back(
        put(std::string(media_type::kOciManifest), image(platform, platform, record(platform))));
    index.manifests.back().platform = Platform::parse(platform);
  }
  const FoundCache found = read(to_json(index));
  EXPECT_EQ(found.kind, FoundCache::Kind::Image);
  const CacheContent content(found.config);
  EXPECT_THAT(blobs_of(*content.find(Digest::of("linux/amd64"))), ElementsAre(blob("linux/amd64")));
  EXPECT_EQ(content.find(Digest::of("linux/arm64"))->layers[0].created, kThen);
  EXPECT_FALSE(content.find(Digest::of("linux/s390x"))) << "of no use here";
}

TEST_F(CacheManifest, ImageWithoutACacheIsTold) {
  const FoundCache found = read(image("linux/amd64", "x", ""));
  EXPECT_EQ(found.kind, FoundCache::Kind::Image);
  EXPECT_THAT(found.config.records, SizeIs(0));
}

TEST_F(CacheManifest, WhatIsWrongIsTold) {
  const CacheArtefact artefact = write_cache_artefact(config, {});
  const FoundCache without_config = read(artefact.bytes);
  EXPECT_EQ(without_config.kind, FoundCache::Kind::Damaged);
  EXPECT_THAT(without_config.problem, HasSubstr("lacks a part"));
  bytes[Digest::of(artefact.config)] = "{";
  EXPECT_EQ(read(artefact.bytes).kind, FoundCache::Kind::Damaged);
  EXPECT_EQ(read("no JSON").kind, FoundCache::Kind::Damaged);
}

TEST_F(CacheManifest, NewerOnesAreNotTouched) {
  Manifest manifest{.media_type = std::string(media_type::kOciManifest)};
  manifest.config = put("application/vnd.buildkit.cacheconfig.v1", "{}");
  const FoundCache by_type = read(to_json(manifest));
  EXPECT_EQ(by_type.kind, FoundCache::Kind::Other);
  EXPECT_THAT(by_type.problem, HasSubstr("newer version"));
  manifest.config = put(std::string(kCacheConfigType), R"({"slipway":{"form":2}})");
  EXPECT_EQ(read(to_json(manifest)).kind, FoundCache::Kind::Other);
}

}  // namespace
}  // namespace slipway
