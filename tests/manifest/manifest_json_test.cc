#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "manifest/media_types.h"
#include "manifest/oci.h"

namespace slipway {
namespace {

using testing::HasSubstr;

const std::string kA = "sha256:" + std::string(64, 'a');
const std::string kB = "sha256:" + std::string(64, 'b');

std::string descriptor(const std::string& digest, const std::string& more = "") {
  return R"({"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":")" + digest + R"(","size":7)" + more + "}";
}

TEST(MediaTypes, DockerTypesHaveOciEquals) {
  EXPECT_EQ(media_type::to_oci(media_type::kDockerLayerGzip), media_type::kOciLayerGzip);
  EXPECT_EQ(media_type::to_oci(media_type::kDockerManifestList), media_type::kOciIndex);
  EXPECT_EQ(media_type::to_oci("text/plain"), "text/plain");
  EXPECT_TRUE(media_type::is_index(media_type::kDockerManifestList));
  EXPECT_TRUE(media_type::is_manifest(media_type::kOciManifest));
  EXPECT_FALSE(media_type::is_manifest(media_type::kOciIndex));
}

TEST(Manifest, ReadsDockerAndKeepsTheBytes) {
  const std::string raw = R"({ "schemaVersion": 2, "unknown": [1],
    "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "config": )" +
                          descriptor(kA) + R"(, "layers": [)" + descriptor(kB) + "]}";
  const Parsed<Manifest> parsed = parse_manifest(raw);
  EXPECT_EQ(parsed.raw, raw);
  EXPECT_EQ(parsed.digest, Digest::of(raw));
  EXPECT_EQ(parsed.value.media_type, media_type::kDockerManifest);
  ASSERT_TRUE(parsed.value.config);
  EXPECT_EQ(parsed.value.config->digest.str(), kA);
  ASSERT_EQ(parsed.value.layers.size(), 1u);
  EXPECT_EQ(parsed.value.layers[0].size, 7u);
}

TEST(Manifest, MissingMediaTypeIsInferred) {
  EXPECT_EQ(parse_manifest(R"({"schemaVersion":2,"layers":[]})").value.media_type, media_type::kOciManifest);
  EXPECT_EQ(parse_index(R"({"schemaVersion":2,"manifests":[]})").value.media_type, media_type::kOciIndex);
  EXPECT_EQ(document_media_type(R"({"manifests":[]})"), media_type::kOciIndex);
}

TEST(Manifest, NullListsAreEmpty) {
  const auto parsed = parse_manifest(R"({"schemaVersion":2,"config":)" + descriptor(kA) + R"(,"layers":null})");
  EXPECT_TRUE(parsed.value.layers.empty());
  EXPECT_TRUE(parse_index(R"({"mediaType":"application/vnd.oci.image.index.v1+json","manifests":null})")
                  .value.manifests.empty());
}

struct BadDocument {
  const char* name;
  bool index;
  std::string raw, says;
};
class ManifestRefuse : public testing::TestWithParam<BadDocument> {};

TEST_P(ManifestRefuse, SaysWhere) {
  try {
    if (GetParam().index) {
      parse_index(GetParam().raw);
    } else {
      parse_manifest(GetParam().raw);
    }
    FAIL() << "accepted";
  } catch (const InvalidInput& error) {
    EXPECT_THAT(error.what(), HasSubstr(GetParam().says));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Documents, ManifestRefuse,
    testing::Values(
        BadDocument{"ambiguous", false, R"({"manifests":[],"layers":[]})", "neither an index nor a manifest"},
        BadDocument{"ambiguous_as_index", true, R"({"manifests":[],"config":)" + descriptor(kA) + "}", "neither an"},
        BadDocument{"index_for_manifest", false, R"({"manifests":[]})", "not an image manifest"},
        BadDocument{"manifest_for_index", true, R"({"layers":[]})", "not an image index"},
        BadDocument{"lying_type", true,
                    R"({"mediaType":"application/vnd.oci.image.index.v1+json","layers":[]})", "does not agree"},
        BadDocument{"schema_1", false, R"({"schemaVersion":1,"fsLayers":[]})", "schema 1"},
        BadDocument{"nothing", false, "{}", "neither a mediaType"}, BadDocument{"not_json", false, "<html>", "JSON"},
        BadDocument{"array", false, "[]", "$: expected an object"},
        BadDocument{"layers_type", false, R"({"layers":{}})", "$.layers: expected an array, found an object"},
        BadDocument{"size_type", false,
                    R"({"layers":[{"mediaType":"x","digest":")" + kA + R"(","size":"7"}]})",
                    "$.layers[0].size: expected an integer, found a string"},
        BadDocument{"negative_size", false,
                    R"({"layers":[{"mediaType":"x","digest":")" + kA + R"(","size":-1}]})", "$.layers[0].size"},
        BadDocument{"bad_digest", false, R"({"layers":[{"mediaType":"x","digest":"sha256:../..","size":1}]})",
                    "$.layers[0].digest"},
        BadDocument{"no_digest", false, R"({"layers":[{"mediaType":"x","size":1}]})", "$.layers[0].digest: missing"},
        BadDocument{"annotation_type", false, R"({"layers":[],"annotations":{"a":1}})", "$.annotations.a"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(Manifest, WritingIsExact) {
  const Descriptor config{.media_type = "c/t", .digest = Digest::parse(kA), .size = 2};
  const Descriptor layer{
      .media_type = "l/t", .digest = Digest::parse(kB), .size = 3, .annotations = {{"z", "1"}, {"a", "2"}}};
  const Manifest manifest{
      .media_type = std::string(media_type::kOciManifest), .config = config, .layers = {layer}, .annotations = {{"k", "v"}}};
  EXPECT_EQ(to_json(manifest),
            R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",)"
            R"("config":{"mediaType":"c/t","digest":")" + kA + R"(","size":2},"layers":[{"mediaType":"l/t","digest":")" +
                kB + R"(","size":3,"annotations":{"a":"2","z":"1"}}],"annotations":{"k":"v"}})");
}

TEST(Manifest, SubjectIsWrittenAndReadsBack) {
  const Descriptor image{.media_type = "m/t", .digest = Digest::parse(kB), .size = 9};
  const Manifest manifest{.media_type = std::string(media_type::kOciManifest), .config = {}, .layers = {}, .subject = image};
  const std::string text = to_json(manifest);
  EXPECT_NE(text.find(R"("layers":[],"subject":{"mediaType":"m/t")"), std::string::npos) << text;
  EXPECT_EQ(parse_manifest(text).value.subject, image);
}

TEST(Index, WritingIsExactAndReadsBack) {
  const Descriptor entry{.media_type = std::string(media_type::kOciManifest),
                         .digest = Digest::parse(kA),
                         .size = 5,
                         .platform = Platform::parse("linux/arm/v7")};
  const Index index{.media_type = {}, .manifests = {entry}};
  const std::string text = to_json(index);
  EXPECT_EQ(text,
            R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[)"
            R"({"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":")" +
                kA + R"(","size":5,"platform":{"architecture":"arm","os":"linux","variant":"v7"}}]})");
  EXPECT_EQ(parse_index(text).value.manifests.at(0), entry);
}

TEST(Descriptor, ReadsBackWhole) {
  const Descriptor value{.media_type = "a/b",
                         .digest = Digest::parse(kA),
                         .size = 9,
                         .platform = Platform::parse("linux/amd64"),
                         .annotations = {{"x", "y"}},
                         .artifact_type = "t/t"};
  EXPECT_EQ(parse_descriptor(to_json(value)), value);
}

TEST(Descriptor, InvalidUtf8IsReplacedWhenWritten) {
  const Descriptor value{
      .media_type = "a/b", .digest = Digest::parse(kA), .size = 1, .annotations = {{"x", "\xff"}}};
  EXPECT_EQ(parse_descriptor(to_json(value)).annotations.at("x"), "\xEF\xBF\xBD");
}

TEST(CheckDigest, OtherBytesAreAnIntegrityError) {
  check_digest("abc", Digest::of("abc"), "thing");
  EXPECT_THROW(check_digest("abd", Digest::of("abc"), "thing"), IntegrityError);
}

}  // namespace
}  // namespace slipway
