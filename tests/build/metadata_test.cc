#include "build/metadata.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace slipway {
namespace {

BuildResult two_platforms() {
  BuildResult result{.image = Descriptor{.media_type = "application/vnd.oci.image.index.v1+json",
                                         .digest = Digest::of("i"),
                                         .size = 7}};
  result.names = {ImageRef::parse("a:1"), ImageRef::parse("a:2")};
  for (const char* platform : {"linux/amd64", "linux/arm64"})
    result.platforms.push_back({.platform = Platform::parse(platform),
                                .manifest = Descriptor{.digest = Digest::of(platform)},
                                .size = 3,
                                .mode = "native"});
  return result;
}

TEST(Metadata, SaysNothingOfAnImageThatThereIsNot) {
  BuildResult result = two_platforms();
  result.image.reset();
  for (PlatformSummary& platform : result.platforms) platform.manifest.reset();
  const auto json = nlohmann::json::parse(metadata_json(result));
  EXPECT_FALSE(json.contains("containerimage.digest"));
  EXPECT_FALSE(json["slipway"]["platforms"][0].contains("digest"));
  EXPECT_EQ(json["slipway"]["platforms"][0]["mode"], "native");
}

TEST(Metadata, HasTheKeysThatBuildxWrites) {
  const auto json = nlohmann::json::parse(metadata_json(two_platforms()));
  EXPECT_EQ(json["containerimage.digest"], Digest::of("i").str());
  EXPECT_EQ(json["containerimage.descriptor"]["size"], 7);
  EXPECT_EQ(json["image.name"], "docker.io/library/a:1,docker.io/library/a:2");
  EXPECT_FALSE(json.contains("containerimage.config.digest"));
  EXPECT_EQ(json["slipway"]["platforms"][1]["platform"], "linux/arm64");
}

TEST(Metadata, ProvenanceIsUnderBuildxKeys) {
  BuildResult result = two_platforms();
  EXPECT_FALSE(nlohmann::json::parse(metadata_json(result)).contains("buildx.build.provenance/linux/amd64"));
  for (PlatformSummary& platform : result.platforms) platform.provenance = R"({"a":1})";
  EXPECT_EQ(nlohmann::json::parse(metadata_json(result))["buildx.build.provenance/linux/arm64"]["a"], 1);
  result.platforms.resize(1, result.platforms[0]);
  EXPECT_EQ(nlohmann::json::parse(metadata_json(result))["buildx.build.provenance"]["a"], 1);
}

TEST(Metadata, ImageIdIsTheConfigOfOnePlatformAndTheIndexOfSeveral) {
  BuildResult result = two_platforms();
  EXPECT_EQ(image_id(result), Digest::of("i").str());
  result.config = Digest::of("c");
  EXPECT_EQ(image_id(result), Digest::of("c").str());
}

TEST(Metadata, FailureNamesKindExitCodeAndPlace) {
  BuildFailed failed("exit code: 2",
                     {.file = "Dockerfile", .line = 5, .column = 0, .line_text = "RUN false"});
  failed.set_log_tail({"oops \xff"});
  const auto json = nlohmann::json::parse(metadata_json(failed))["slipway"]["error"];
  EXPECT_EQ(json["kind"], "build-failed");
  EXPECT_EQ(json["exitCode"], 1);
  EXPECT_EQ(json["line"], 5);
  EXPECT_EQ(json["log"].size(), 1U);
}

}  // namespace
}  // namespace slipway
