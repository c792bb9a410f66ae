#include "nodes/image_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files.h"
#include "manifest/media_types.h"
#include "registry/client.h"
#include "support/fake_registry.h"

namespace slipway {
namespace {

using testing::HasSubstr;

class NoCredentials final : public CredentialSource {
 public:
  std::optional<Credentials> find(const std::string&) override { return std::nullopt; }
};

class ImageSourceTest : public testing::Test {
 protected:
  /// An image without layers for each platform, under one index tagged "1".
  Digest serve_index(const std::vector<const char*>& platforms) {
    Index index{.media_type = std::string(media_type::kOciIndex)};
    for (const char* name : platforms) {
      const Platform platform = Platform::parse(name);
      const std::string config = to_json(ImageConfig{.platform = platform});
      const Digest config_digest = registry_.add_blob("team/base", config);
      const std::string manifest = to_json(Manifest{
          .media_type = std::string(media_type::kOciManifest),
          .config = Descriptor{.media_type = std::string(media_type::kOciConfig), .digest = config_digest, .size = config.size()}});
      const Digest digest =
          registry_.add_manifest("team/base", Digest::of(manifest).str(), std::string(media_type::kOciManifest), manifest);
      index.manifests.push_back({.media_type = std::string(media_type::kOciManifest), .digest = digest, .size = manifest.size(),
                                 .platform = platform});
    }
    return registry_.add_manifest("team/base", "1", index.media_type, to_json(index));
  }
  ImageRef ref() const { return ImageRef::parse(registry_.host() + "/team/base:1"); }

  testing_support::FakeRegistry registry_;
  NullLogger logger_;
  TempDir dir_;
  std::unique_ptr<Store> store_ = Store::open(dir_.path() / "store", logger_);
  RegistryClient client_{{.attempts = 1, .first_delay_seconds = 0.001}, std::make_shared<NoCredentials>(), logger_};
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

TEST_F(ImageSourceTest, TheStoresOwnImageWinsOverTheRegistry) {
  const ImageConfig config{.platform = Platform::parse("linux/amd64"), .author = "the store"};
  const BlobInfo config_blob = store_->blobs().put(to_json(config));
  const BlobInfo manifest = store_->blobs().put(to_json(Manifest{
      .media_type = std::string(media_type::kOciManifest),
      .config = Descriptor{.media_type = std::string(media_type::kOciConfig), .digest = config_blob.digest, .size = config_blob.size}}));
  store_->images().set({ref()}, {.media_type = std::string(media_type::kOciManifest), .digest = manifest.digest, .size = manifest.size});
  EXPECT_EQ(images_.resolve(ref(), Platform::parse("linux/amd64"), {}).config.author, "the store");
  EXPECT_TRUE(registry_.requests().empty());
}

TEST_F(ImageSourceTest, LyingManifestIsNotKept) {
  const Digest index = serve_index({"linux/amd64"});
  registry_.script("GET", "/manifests/sha256:", {.replace_body = "{}"}, 100);
  EXPECT_THROW(images_.resolve(ref(), Platform::parse("linux/amd64"), {}), IntegrityError);
  EXPECT_EQ(store_->blobs().list(), std::vector<Digest>{index});
}

}  // namespace
}  // namespace slipway
