#include "build/attestations.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "build/image_fixture.h"
#include "build/layout_export.h"
#include "content/image_blobs.h"
#include "manifest/media_types.h"

namespace slipway {
namespace {

using Attach = ProvenanceRequest::Attach;
using testing::HasSubstr;

ProvenanceRequest provenance(const std::string& text) { return parse_attestations({}, text, ""); }
ProvenanceRequest attest(const std::vector<std::string>& texts) { return parse_attestations(texts, "", ""); }

std::string refusal(const std::vector<std::string>& attests, const std::string& provenance,
                    const std::string& sbom = "") {
  try {
    parse_attestations(attests, provenance, sbom);
  } catch (const UsageError& e) {
    return e.what();
  }
  return "taken";
}

TEST(Attestations, NothingIsAttachedUnlessAsked) {
  EXPECT_EQ(provenance("").attach, Attach::NotAsked);
  EXPECT_EQ(provenance("").metadata, ProvenanceMode::Min);
}

TEST(Attestations, SwitchIsShortForTheList) {
  EXPECT_EQ(provenance("true").attach, Attach::Asked);
  EXPECT_EQ(provenance("true").options.mode, ProvenanceMode::Max);
  EXPECT_EQ(provenance("false").attach, Attach::Refused);
  EXPECT_EQ(attest({"type=provenance,disabled=true"}).attach, Attach::Refused);
  EXPECT_EQ(attest({"type=provenance"}).attach, Attach::Asked);
}

TEST(Attestations, TakesBuildKitsParameters) {
  for (const ProvenanceRequest& request : {provenance("mode=min,version=v0.2,builder-id=https://ci/"
                                                      "1,reproducible=true,inline-only=true,filename=p.json"),
                                           attest({"type=provenance,mode=min,version=v0.2,builder-id=https://"
                                                   "ci/1,reproducible=true,inline-only=true,"
                                                   "filename=p.json"})}) {
    EXPECT_EQ(request.attach, Attach::Asked);
    EXPECT_EQ(request.options.mode, ProvenanceMode::Min);
    EXPECT_EQ(request.options.version, ProvenanceVersion::V02);
    EXPECT_EQ(request.options.builder_id, "https://ci/1");
    EXPECT_TRUE(request.options.reproducible);
    EXPECT_TRUE(request.inline_only);
    EXPECT_EQ(request.filename, "p.json");
  }
}

TEST(Attestations, ProvenanceGoesBeforeAttest) {
  EXPECT_EQ(parse_attestations({"type=provenance"}, "false", "").attach, Attach::Refused);
}

TEST(Attestations, WhatIsWrongIsNamed) {
  EXPECT_THAT(refusal({}, "mode=most"), HasSubstr("mode=most"));
  EXPECT_THAT(refusal({}, "version=v2"), HasSubstr("version=v2"));
  EXPECT_THAT(refusal({}, "filename=../x"), HasSubstr("../x"));
  EXPECT_THAT(refusal({}, "mod=max"), HasSubstr("did you mean mode?"));
  EXPECT_THAT(refusal({"mode=max"}, ""), HasSubstr("type= is missing"));
  EXPECT_THAT(refusal({"type=signature"}, ""), HasSubstr("signature"));
  EXPECT_THAT(refusal({"type=provenance", "type=provenance"}, ""), HasSubstr("twice"));
}

TEST(Attestations, SbomIsRefusedWithWhatToDo) {
  try {
    attest({"type=sbom"});
    FAIL() << "taken";
  } catch (const UsageError& e) {
    EXPECT_THAT(e.what(), HasSubstr("slipway makes no SBOMs"));
    EXPECT_THAT(e.hint(), HasSubstr("syft"));
  }
  EXPECT_THAT(refusal({}, "", "true"), HasSubstr("--sbom"));
  EXPECT_EQ(refusal({"type=sbom,disabled=true"}, "", "false"), "taken");
}

TEST(Attestations, MetadataHasLittleUnlessTheEnvironmentSaysOtherwise) {
  EXPECT_EQ(parse_metadata_provenance(""), ProvenanceMode::Min);
  EXPECT_EQ(parse_metadata_provenance("max"), ProvenanceMode::Max);
  EXPECT_EQ(parse_metadata_provenance("disabled"), std::nullopt);
  EXPECT_THROW(parse_metadata_provenance("some"), UsageError);
}

class StoredAttestation : public testing_support::StoreTest {
 protected:
  std::unique_ptr<Store> store_ = open();
  const AssembledImage image_ = testing_support::simple_image(*store_, "linux/arm64");
  const Descriptor attestation_ =
      put_attestation(*store_, image_.manifest, ProvenanceVersion::V1, R"({"a":1})");
};

TEST_F(StoredAttestation, IsStoredAsBuildKitDoes) {
  EXPECT_EQ(attestation_.platform->str(), "unknown/unknown");
  EXPECT_EQ(attestation_.annotations,
            (Annotations{{"vnd.docker.reference.type", "attestation-manifest"},
                         {"vnd.docker.reference.digest", image_.manifest.digest.str()}}));
  const Manifest manifest = parse_manifest(store_->blobs().read(attestation_.digest)).value;
  EXPECT_EQ(manifest.artifact_type, "application/vnd.docker.attestation.manifest.v1+json");
  EXPECT_EQ(manifest.config->media_type, "application/vnd.oci.empty.v1+json");
  EXPECT_EQ(store_->blobs().read(manifest.config->digest), "{}");
  EXPECT_EQ(manifest.subject->digest, image_.manifest.digest);
  EXPECT_FALSE(manifest.subject->platform);
  ASSERT_EQ(manifest.layers.size(), 1U);
  EXPECT_EQ(manifest.layers[0].media_type, "application/vnd.in-toto+json");
  EXPECT_EQ(manifest.layers[0].annotations.at("in-toto.io/predicate-type"), "https://slsa.dev/provenance/v1");
  EXPECT_EQ(store_->blobs().read(manifest.layers[0].digest), R"({"a":1})");
}

TEST_F(StoredAttestation, IsInTheIndexAfterTheImages) {
  const Descriptor index = assemble_index(*store_, {image_}, false, {attestation_});
  EXPECT_THAT(parse_index(store_->blobs().read(index.digest)).value.manifests,
              testing::ElementsAre(image_.manifest, attestation_));
}

TEST_F(StoredAttestation, BelongsToItsImageForExportsAndPruning) {
  const Descriptor index = assemble_index(*store_, {image_}, false, {attestation_});
  const Manifest manifest = parse_manifest(store_->blobs().read(attestation_.digest)).value;
  std::vector<Digest> exported;
  for (const Descriptor& blob : blobs_of_image(*store_, index)) exported.push_back(blob.digest);
  const auto kept = image_blobs(store_->blobs(), {{.name = "x", .descriptor = to_json(index)}});
  for (const Digest& digest : {attestation_.digest, manifest.config->digest, manifest.layers[0].digest}) {
    EXPECT_THAT(exported, testing::Contains(digest));
    EXPECT_TRUE(kept.contains(digest));
  }
}

}  // namespace
}  // namespace slipway
