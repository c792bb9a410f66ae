#include "nodes/image_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <set>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "content/layers.h"
#include "content/mount_environment.h"
#include "manifest/media_types.h"
#include "registry/client.h"
#include "support/fake_registry.h"
#include "support/no_credentials.h"

namespace slipway {
namespace {

using testing::HasSubstr;

class ImageSourceTest : public testing::Test {
 protected:
  /// An image without layers for each platform, under one index tagged "1".
  Digest serve_index(const std::vector<const char*>& platforms) {
    Index index{.media_type = std::string(media_type::kOciIndex)};
    for (const char* name : platforms) {
      const Platform platform = Platform::parse(name);
      const std::string config = to_json(ImageConfig{.platform = platform});
      const Digest config_digest = registry_.add_blob("team/base", config);
      const std::string manifest =
          to_json(Manifest{.media_type = std::string(media_type::kOciManifest),
                           .config = Descriptor{.media_type = std::string(media_type::kOciConfig),
                                                .digest = config_digest,
                                                .size = config.size()}});
      const Digest digest = registry_.add_manifest("team/base", Digest::of(manifest).str(),
                                                   std::string(media_type::kOciManifest), manifest);
      index.manifests.push_back({.media_type = std::string(media_type::kOciManifest),
                                 .digest = digest,
                                 .size = manifest.size(),
                                 .platform = platform});
    }
    return registry_.add_manifest("team/base", "1", index.media_type, to_json(index));
  }
  /// One layer with the file NAME for each name, under a manifest tagged "1"; the layers as the registry has
  /// them.
  std::vector<Layer> serve_layers(const std::vector<std::string>& files) {
    const TempDir elsewhere(testing_support::test_space(), "elsewhere");
    const auto other = Store::open(elsewhere.path() / "store", logger_);
    std::vector<Layer> layers;
    ImageConfig config{.platform = Platform::parse("linux/amd64")};
    Manifest manifest{.media_type = std::string(media_type::kOciManifest)};
    for (const std::string& file : files) {
      ActiveSnapshot active = other->snapshots().prepare_unmounted({});
      write_file_atomic(active.upper() / file, file);
      layers.push_back(layer_of(*other, other->snapshots().commit(std::move(active), 0), {}, {}));
      registry_.add_blob("team/base", other->blobs().read(layers.back().descriptor.digest));
      config.diff_ids.push_back(layers.back().diff_id);
      manifest.layers.push_back(layers.back().descriptor);
    }
    serve(config, manifest);
    return layers;
  }
  void serve(const ImageConfig& config, Manifest manifest) {
    const std::string bytes = to_json(config);
    manifest.config = Descriptor{.media_type = std::string(media_type::kOciConfig),
                                 .digest = registry_.add_blob("team/base", bytes),
                                 .size = bytes.size()};
    const std::string document = to_json(manifest);
    registry_.add_manifest("team/base", Digest::of(document).str(), manifest.media_type, document);
    registry_.add_manifest("team/base", "1", manifest.media_type, document);
  }
  /// The source of the image that is served.
  SourceOp source() {
    return {
        concat("docker-image://", images_.resolve(ref(), Platform::parse("linux/amd64"), {}).pinned.str()),
        {}};
  }
  ImageRef ref() const { return ImageRef::parse(registry_.host() + "/team/base:1"); }

  testing_support::FakeRegistry registry_;
  NullLogger logger_;
  TempDir dir_{testing_support::test_space(), "images"};
  std::unique_ptr<Store> store_ = Store::open(dir_.path() / "store", logger_);
  RegistryClient client_{{.attempts = 1, .first_delay_seconds = 0.001},
                         std::make_shared<testing_support::NoCredentials>(),
                         logger_};
  ImageSource images_{*store_, client_};
};

TEST_F(ImageSourceTest, PinsThePlatformsOwnManifest) {
  serve_index({"linux/amd64", "linux/arm64"});
  const auto image = images_.resolve(ref(), Platform::parse("linux/arm64"), {});
  EXPECT_EQ(image.config.platform, Platform::parse("linux/arm64"));
  EXPECT_TRUE(registry_.manifest("team/base", image.pinned.digest()->str()).has_value());
}

TEST_F(ImageSourceTest, MissingPlatformNamesThoseThereAre) {
  serve_index({"linux/amd64", "linux/arm64"});
  try {
    images_.resolve(ref(), Platform::parse("linux/s390x"), {});
    FAIL() << "should have thrown";
  } catch (const InvalidInput& e) {
    EXPECT_THAT(e.what(), HasSubstr("linux/s390x; it has: linux/amd64, linux/arm64"));
  }
}

TEST_F(ImageSourceTest, AsksTheRegistryOnceForAnImage) {
  serve_index({"linux/amd64"});
  images_.resolve(ref(), Platform::parse("linux/amd64"), {});
  const std::size_t asked = registry_.requests().size();
  images_.resolve(ref(), Platform::parse("linux/amd64"), {});
  EXPECT_EQ(registry_.requests().size(), asked);
}

TEST_F(ImageSourceTest, AllPlatformsAreOfOneVersionOfATagThatMoves) {
  serve_index({"linux/amd64", "linux/arm64"});
  const auto first = images_.resolve(ref(), Platform::parse("linux/amd64"), {});
  ASSERT_EQ(registry_.count("GET", "/manifests/1"), 1U);
  serve(ImageConfig{.platform = Platform::parse("linux/arm64"), .author = "somebody else, later"},
        Manifest{.media_type = std::string(media_type::kOciManifest)});
  EXPECT_EQ(images_.resolve(ref(), Platform::parse("linux/arm64"), {}).config.author, "");
  EXPECT_EQ(registry_.count("GET", "/manifests/1"), 1U);
  ImageSource next_build(*store_, client_);
  EXPECT_EQ(next_build.resolve(ref(), Platform::parse("linux/arm64"), {}).config.author,
            "somebody else, later");
}

TEST_F(ImageSourceTest, ExpectedImagesAreAskedForSideBySide) {
  serve_index({"linux/amd64", "linux/arm64"});
  const std::vector<dockerfile::WantedImage> wanted = {{ref(), Platform::parse("linux/amd64")},
                                                       {ref(), Platform::parse("linux/arm64")}};
  registry_.script("GET", "/manifests/sha256:", {.hold = true}, 2);
  std::jthread expecting([&] { images_.expect(wanted, {}); });
  EXPECT_TRUE(registry_.wait_for("GET", "/manifests/sha256:", 2)) << "one waited for the other";
  registry_.release();
  expecting.join();
  EXPECT_EQ(registry_.count("GET", "/manifests/1"), 1U) << "both are in one index";
  const std::size_t asked = registry_.requests().size();
  for (const auto& [name, platform] : wanted)
    EXPECT_EQ(images_.resolve(name, platform, {}).config.platform, platform);
  EXPECT_EQ(registry_.requests().size(), asked);
}

TEST_F(ImageSourceTest, WhatFailsOfTheExpectedIsToldWhenItIsAskedFor) {
  serve_index({"linux/amd64"});
  const ImageRef missing = ImageRef::parse(registry_.host() + "/team/missing:1");
  const Platform amd64 = Platform::parse("linux/amd64");
  images_.expect({{ref(), amd64}, {missing, amd64}}, {});
  const std::size_t asked = registry_.requests().size();
  EXPECT_EQ(images_.resolve(ref(), amd64, {}).config.platform, amd64);
  EXPECT_THROW(images_.resolve(missing, amd64, {}), NotFound);
  EXPECT_EQ(registry_.requests().size(), asked);
}

TEST_F(ImageSourceTest, TheStoresOwnImageWinsOverTheRegistry) {
  const ImageConfig config{.platform = Platform::parse("linux/amd64"), .author = "the store"};
  const BlobInfo config_blob = store_->blobs().put(to_json(config));
  const BlobInfo manifest = store_->blobs().put(
      to_json(Manifest{.media_type = std::string(media_type::kOciManifest),
                       .config = Descriptor{.media_type = std::string(media_type::kOciConfig),
                                            .digest = config_blob.digest,
                                            .size = config_blob.size}}));
  store_->images().set({ref()}, {.media_type = std::string(media_type::kOciManifest),
                                 .digest = manifest.digest,
                                 .size = manifest.size});
  EXPECT_EQ(images_.resolve(ref(), Platform::parse("linux/amd64"), {}).config.author, "the store");
  EXPECT_TRUE(registry_.requests().empty());
}

TEST_F(ImageSourceTest, LyingManifestIsNotKept) {
  const Digest index = serve_index({"linux/amd64"});
  registry_.script("GET", "/manifests/sha256:", {.replace_body = "{}"}, 100);
  EXPECT_THROW(images_.resolve(ref(), Platform::parse("linux/amd64"), {}), IntegrityError);
  EXPECT_EQ(store_->blobs().list(), std::vector<Digest>{index});
}

TEST_F(ImageSourceTest, PinnedNameIsTheRegistrysEvenIfTheStoreHasAnother) {
  serve_layers({"a"});
  const ImageRef pinned = images_.resolve(ref(), Platform::parse("linux/amd64"), {}).pinned;
  const BlobInfo other = store_->blobs().put("{}");
  store_->images().set(
      {pinned},
      {.media_type = std::string(media_type::kOciManifest), .digest = other.digest, .size = other.size});
  ImageSource fresh(*store_, client_);
  EXPECT_EQ(fresh.resolve(pinned, Platform::parse("linux/amd64"), {}).pinned, pinned);
}

TEST_F(ImageSourceTest, ImageOfAnotherPlatformIsRefused) {
  serve(ImageConfig{.platform = Platform::parse("linux/s390x")},
        Manifest{.media_type = std::string(media_type::kOciManifest)});
  EXPECT_THROW(images_.resolve(ref(), Platform::parse("linux/amd64"), {}), InvalidInput);
}

TEST_F(ImageSourceTest, LayersAreUnpackedOnTopOfEachOther) {
  serve_layers({"a", "b"});
  const auto root = images_.unpack(source(), {}, {});
  const auto chain = store_->snapshots().chain(root.value());
  ASSERT_EQ(chain.size(), 2U);
  EXPECT_EQ(read_file(store_->snapshots().diff_directory(chain[0]) / "a"), "a");
  EXPECT_EQ(read_file(store_->snapshots().diff_directory(chain[1]) / "b"), "b");
}

TEST_F(ImageSourceTest, WhatIsUnpackedIsNotFetchedAgain) {
  serve_layers({"a", "b"});
  const SourceOp image = source();
  EXPECT_FALSE(images_.find_unpacked_root(image)) << "nothing is unpacked yet";
  const auto root = images_.unpack(image, {}, {});
  const std::size_t asked = registry_.requests().size();
  EXPECT_EQ(images_.unpack(image, {}, {}), root);
  EXPECT_EQ(images_.find_unpacked_root(image), std::optional(root));
  EXPECT_EQ(registry_.requests().size(), asked);
}

TEST_F(ImageSourceTest, LayersThatSeveralNeedAtOnceAreFetchedOnce) {
  const std::vector<Layer> layers = serve_layers({"a", "b"});
  const SourceOp image = source();
  std::set<SnapshotId> roots;
  {
    std::mutex mutex;
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i)
      threads.emplace_back([&] {
        const auto root = images_.unpack(image, {}, {});
        const std::lock_guard lock(mutex);
        roots.insert(root.value());
      });
  }
  EXPECT_EQ(roots.size(), 1U);
  for (const Layer& layer : layers) EXPECT_EQ(registry_.count("GET", layer.descriptor.digest.str()), 1U);
  EXPECT_EQ(store_->snapshots().list().size(), 2U);
}

TEST_F(ImageSourceTest, HalfUnpackedImageHasNoRootYet) {
  const std::vector<Layer> layers = serve_layers({"a", "b"});
  const SourceOp image = source();
  registry_.script("GET", layers[1].descriptor.digest.str(), {.status = 404}, 100);
  EXPECT_THROW(images_.unpack(image, {}, {}), NotFound);
  EXPECT_FALSE(images_.find_unpacked_root(image));
  EXPECT_EQ(store_->snapshots().list().size(), 1U) << "the first layer is kept";
}

TEST_F(ImageSourceTest, ImageWithoutLayersHasNoRootAndThatIsKnown) {
  serve_layers({});
  const SourceOp image = source();
  EXPECT_EQ(images_.unpack(image, {}, {}), std::nullopt);
  const auto known = images_.find_unpacked_root(image);
  ASSERT_TRUE(known);
  EXPECT_EQ(*known, std::nullopt);
}

TEST_F(ImageSourceTest, LyingLayerIsNotUnpacked) {
  const std::vector<Layer> layers = serve_layers({"a"});
  const SourceOp image = source();
  registry_.script("GET", layers[0].descriptor.digest.str(),
                   {.replace_body = std::string(layers[0].descriptor.size, 'x')}, 100);
  EXPECT_THROW(images_.unpack(image, {}, {}), IntegrityError);
  EXPECT_TRUE(store_->snapshots().list().empty());
  EXPECT_FALSE(store_->blobs().has(layers[0].descriptor.digest));
}

TEST_F(ImageSourceTest, ConfigThatListsOtherLayersIsInvalidInput) {
  serve(ImageConfig{.platform = Platform::parse("linux/amd64"), .diff_ids = {Digest::of("a")}},
        Manifest{.media_type = std::string(media_type::kOciManifest)});
  const SourceOp image = source();
  EXPECT_THROW(images_.unpack(image, {}, {}), InvalidInput);
}

TEST_F(ImageSourceTest, KnowsWhereLayersCameFromOnTheSameRegistryOnly) {
  const std::vector<Layer> layers = serve_layers({"a"});
  source();
  const Digest layer = layers[0].descriptor.digest;
  EXPECT_EQ(images_.repositories_with(layer, registry_.host()), std::vector<std::string>{"team/base"});
  EXPECT_TRUE(images_.repositories_with(layer, "example.org").empty());
  EXPECT_TRUE(images_.repositories_with(Digest::of("another"), registry_.host()).empty());
}

}  // namespace
}  // namespace slipway
