#include "build/import_image.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "build/attestations.h"
#include "build/image_fixture.h"
#include "content/tar_file.h"
#include "manifest/media_types.h"

namespace slipway {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;
using testing_support::simple_image;

class ImportImage : public testing_support::StoreTest {
 protected:
  /// A root file system archive of one file.
  std::string archive(const std::string& content) {
    const auto file = directory_.path() / "rootfs.tar";
    {
      const UniqueFd fd = open_file(file, O_RDWR | O_CREAT | O_TRUNC);
      TarFileWriter tar(fd.get());
      tar.add_directory("etc");
      tar.add_bytes("etc/motd", content);
      tar.close();
    }
    return read_file(file);
  }
  AssembledImage import_bytes(const std::string& bytes, const char* platform = "linux/amd64",
                              const std::optional<std::int64_t>& created = {}) {
    const auto file = directory_.path() / "in.tar";
    write_file_atomic(file, bytes);
    const UniqueFd fd = open_file(file, O_RDONLY);
    return import_rootfs(*store_, fd.get(), Platform::parse(platform), "import rootfs.tar", created, {});
  }
  ImageConfig config_of(const AssembledImage& image) {
    return parse_image_config(store_->blobs().read(image.config.digest)).value;
  }
  /// The manifests under a name.
  std::vector<Digest> named(const char* name) {
    const auto stored = store_->images().find(ImageRef::parse(name));
    if (!stored) return {};
    std::vector<Digest> digests;
    for (const Descriptor& entry :
         parse_index(store_->blobs().read(stored->descriptor.digest)).value.manifests)
      digests.push_back(entry.digest);
    return digests;
  }
  /// Imports under one name, as the command does: with `append` besides what the name has.
  Descriptor name(const AssembledImage& image, const char* text, bool append) {
    const ImageRef ref = ImageRef::parse(text);
    const Descriptor index = assemble_imported(*store_, {image}, append ? std::optional(ref) : std::nullopt);
    store_->images().set({ref}, index);
    return index;
  }

  std::unique_ptr<Store> store_ = open();
};

TEST_F(ImportImage, ArchiveBecomesOneLayerThatUnpacksToIt) {
  const AssembledImage image = import_bytes(archive("hello"), "linux/arm64");
  const ImageConfig config = config_of(image);
  EXPECT_EQ(config.platform, Platform::parse("linux/arm64"));
  EXPECT_EQ(image.manifest.platform, Platform::parse("linux/arm64"));
  EXPECT_EQ(config.config.cmd, std::vector<std::string>{"/bin/sh"});
  ASSERT_EQ(image.layers.size(), 1U);
  ASSERT_EQ(config.diff_ids.size(), 1U);
  const SnapshotId tree =
      unpack_layer(*store_, {}, {.descriptor = image.layers[0], .diff_id = config.diff_ids[0]}, {});
  EXPECT_EQ(read_file(store_->snapshots().diff_directory(tree) / "etc" / "motd"), "hello");
  const Manifest manifest = parse_manifest(store_->blobs().read(image.manifest.digest)).value;
  EXPECT_EQ(manifest.config, image.config);
  EXPECT_EQ(manifest.layers, image.layers);
}

TEST_F(ImportImage, HistoryHasTheGivenLineAndTime) {
  const ImageConfig dated = config_of(import_bytes(archive("hello"), "linux/amd64", 1700000000));
  ASSERT_EQ(dated.history.size(), 1U);
  EXPECT_EQ(dated.history[0].created_by, "import rootfs.tar");
  EXPECT_EQ(dated.history[0].created, rfc3339(1700000000));
  EXPECT_EQ(dated.created, rfc3339(1700000000));
  EXPECT_EQ(config_of(import_bytes(archive("hello"))).created, "");
}

TEST_F(ImportImage, SameArchiveIsTheSameImage) {
  const std::string bytes = archive("hello");
  EXPECT_EQ(import_bytes(bytes).manifest, import_bytes(bytes).manifest);
  EXPECT_NE(import_bytes(bytes).manifest.digest, import_bytes(archive("bye")).manifest.digest);
}

TEST_F(ImportImage, WhatIsNoArchiveIsInvalidInputAndNamesNothing) {
  for (const std::string& junk :
       {std::string("this is no archive"), std::string(4096, '\xff'), archive("hello").substr(0, 1600)}) {
    EXPECT_THROW(import_bytes(junk), InvalidInput) << junk.substr(0, 20);
    EXPECT_THAT(store_->blobs().list(), testing::IsEmpty());
  }
  EXPECT_THAT(store_->images().list(), testing::IsEmpty());
}

TEST_F(ImportImage, StoppedImportLeavesNothing) {
  std::stop_source stop;
  stop.request_stop();
  archive("hello");
  const UniqueFd fd = open_file(directory_.path() / "rootfs.tar", O_RDONLY);
  EXPECT_THROW(import_rootfs(*store_, fd.get(), Platform::parse("linux/amd64"), "x", {}, stop.get_token()),
               Cancelled);
  EXPECT_THAT(store_->blobs().list(), testing::IsEmpty());
}

TEST_F(ImportImage, IndexIsMadeBeforeAnythingIsNamed) {
  const AssembledImage amd = simple_image(*store_, "linux/amd64"), arm = simple_image(*store_, "linux/arm64");
  const Descriptor index = assemble_imported(*store_, {amd, arm}, {});
  EXPECT_EQ(index.media_type, media_type::kOciIndex);
  EXPECT_THAT(parse_index(store_->blobs().read(index.digest)).value.manifests,
              ElementsAre(amd.manifest, arm.manifest));
  EXPECT_THAT(store_->images().list(), testing::IsEmpty());
}

TEST_F(ImportImage, AppendKeepsOtherPlatformsAndReplacesItsOwn) {
  const AssembledImage amd = simple_image(*store_, "linux/amd64"), arm = simple_image(*store_, "linux/arm64");
  const AssembledImage newer = simple_image(*store_, "linux/arm64", "newer");
  name(amd, "base:1", false);
  name(arm, "base:1", true);
  EXPECT_THAT(named("base:1"), UnorderedElementsAre(amd.manifest.digest, arm.manifest.digest));
  name(newer, "base:1", true);
  EXPECT_THAT(named("base:1"), UnorderedElementsAre(amd.manifest.digest, newer.manifest.digest));
}

TEST_F(ImportImage, WithoutAppendTheNameNamesTheNewAlone) {
  const AssembledImage amd = simple_image(*store_, "linux/amd64"), arm = simple_image(*store_, "linux/arm64");
  name(amd, "base:1", false);
  name(arm, "base:1", false);
  EXPECT_THAT(named("base:1"), ElementsAre(arm.manifest.digest));
}

TEST_F(ImportImage, AppendToNothingIsTheNewAlone) {
  const AssembledImage amd = simple_image(*store_, "linux/amd64");
  name(amd, "base:1", true);
  EXPECT_THAT(named("base:1"), ElementsAre(amd.manifest.digest));
}

TEST_F(ImportImage, AppendKeepsAPlatformThatWasBuiltAlone) {
  const AssembledImage amd = simple_image(*store_, "linux/amd64"), arm = simple_image(*store_, "linux/arm64");
  store_->images().set({ImageRef::parse("base:1")}, amd.manifest);  // as a build of one platform names it
  name(arm, "base:1", true);
  EXPECT_THAT(named("base:1"), UnorderedElementsAre(amd.manifest.digest, arm.manifest.digest));
}

TEST_F(ImportImage, AppendKeepsWhatIsAttestedOfTheOtherPlatformsAlone) {
  const AssembledImage amd = simple_image(*store_, "linux/amd64"), arm = simple_image(*store_, "linux/arm64");
  const AssembledImage newer = simple_image(*store_, "linux/arm64", "newer");
  const auto attested = [&](const AssembledImage& image) {
    return put_attestation(*store_, image.manifest, ProvenanceVersion::V1, image.manifest.digest.str());
  };
  const Descriptor of_amd = attested(amd), of_arm = attested(arm);
  store_->images().set({ImageRef::parse("base:1")},
                       assemble_index(*store_, {amd, arm}, false, {of_amd, of_arm}));
  name(newer, "base:1", true);
  EXPECT_THAT(named("base:1"), ElementsAre(newer.manifest.digest, amd.manifest.digest, of_amd.digest));
}

TEST_F(ImportImage, AppendWhoseOldIndexIsGoneChangesNothing) {
  const AssembledImage amd = simple_image(*store_, "linux/amd64"), arm = simple_image(*store_, "linux/arm64");
  const Descriptor before = name(amd, "base:1", false);
  store_->blobs().remove(before.digest);
  EXPECT_THROW(name(arm, "base:1", true), NotFound);
  EXPECT_EQ(store_->images().find(ImageRef::parse("base:1"))->descriptor, before);
}

}  // namespace
}  // namespace slipway
