#include <gtest/gtest.h>

#include "manifest/media_types.h"
#include "manifest/oci.h"

namespace slipway {
namespace {

Descriptor entry(const char* platform, char digit) {
  Descriptor out{.media_type = std::string(media_type::kOciManifest),
                 .digest = Digest::parse("sha256:" + std::string(64, digit)),
                 .size = 1};
  if (platform) out.platform = Platform::parse(platform);
  return out;
}

std::string chosen(const Index& index, const char* wanted) {
  const auto found = select_platform(index, Platform::parse(wanted));
  return found ? std::string(1, found->digest.str().back()) : "none";
}

TEST(SelectPlatform, ExactBeatsCompatible) {
  const Index index{.manifests = {entry("linux/arm/v6", 'a'), entry("linux/arm/v7", 'b'), entry("linux/arm64", 'c')}};
  EXPECT_EQ(chosen(index, "linux/arm/v7"), "b");
  EXPECT_EQ(chosen(index, "linux/arm/v6"), "a");
  EXPECT_EQ(chosen(index, "linux/arm64"), "c");
}

TEST(SelectPlatform, FallsBackToAnOlderVariant) {
  const Index index{.manifests = {entry("linux/arm/v5", 'a'), entry("linux/arm/v6", 'b')}};
  EXPECT_EQ(chosen(index, "linux/arm/v7"), "b");
}

TEST(SelectPlatform, NothingForAnotherArchitecture) {
  const Index index{.manifests = {entry("linux/amd64", 'a')}};
  EXPECT_EQ(chosen(index, "linux/s390x"), "none");
  EXPECT_EQ(chosen(Index{}, "linux/amd64"), "none");
}

TEST(SelectPlatform, FirstOfEqualsWins) {
  const Index index{.manifests = {entry("linux/amd64", 'a'), entry("linux/amd64", 'b')}};
  EXPECT_EQ(chosen(index, "linux/amd64"), "a");
}

TEST(SelectPlatform, AttestationsAndUnmarkedEntriesAreLeftAside) {
  Descriptor attestation = entry("linux/amd64", 'a');
  attestation.annotations["vnd.docker.reference.type"] = "attestation-manifest";
  Descriptor unknown = entry(nullptr, 'b');
  unknown.platform = Platform::from_fields("unknown", "unknown", "");
  Descriptor artifact = entry("linux/amd64", 'd');
  artifact.media_type = "application/octet-stream";
  EXPECT_TRUE(is_attestation(attestation));
  EXPECT_TRUE(is_attestation(unknown));
  EXPECT_FALSE(is_attestation(entry("linux/amd64", 'a')));
  const Index index{.manifests = {attestation, unknown, entry(nullptr, 'c'), artifact}};
  EXPECT_EQ(chosen(index, "linux/amd64"), "none");
}

}  // namespace
}  // namespace slipway
