#include "build/publish.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/strings.h"
#include "build/image_fixture.h"
#include "manifest/media_types.h"
#include "support/fake_registry.h"
#include "support/no_credentials.h"

namespace slipway {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing_support::FakeRegistry;
using testing_support::simple_image;

class Publish : public testing_support::StoreTest {
 protected:
  ImageRef name(const std::string& rest) const { return ImageRef::parse(registry_.host() + "/" + rest); }
  void upload(const AssembledImage& image, const std::vector<ImageRef>& names) {
    publisher_.upload_image(image.manifest, names, {}, {});
  }
  /// Uploads every platform and moves the tags: what a build with --push does.
  Descriptor publish(const std::vector<AssembledImage>& images, const std::vector<ImageRef>& names) {
    for (const AssembledImage& image : images) upload(image, names);
    const Descriptor index = assemble_index(*store_, images, false);
    publisher_.move_tags(index, names, {});
    return index;
  }
  /// "PUT manifests/1": what changed the registry, in order; blobs without their digests.
  std::vector<std::string> writes() const {
    std::vector<std::string> lines;
    for (const FakeRegistry::Request& request : registry_.requests()) {
      if (request.method != "PUT") continue;
      const std::size_t manifest = request.target.find("/manifests/");
      lines.push_back(manifest == std::string::npos ? "blob" : request.target.substr(manifest + 1));
    }
    return lines;
  }
  std::optional<Digest> tag(const std::string& repository, const std::string& tag) const {
    const auto bytes = registry_.manifest(repository, tag);
    if (!bytes) return std::nullopt;
    return Digest::of(*bytes);
  }
  bool has_whole_image(const std::string& repository, const AssembledImage& image) const {
    return registry_.manifest(repository, image.manifest.digest.str()) &&
           registry_.blob(repository, image.config.digest) &&
           std::ranges::all_of(image.layers, [&](const Descriptor& layer) {
             return registry_.blob(repository, layer.digest).has_value();
           });
  }

  FakeRegistry registry_;
  std::unique_ptr<Store> store_ = open();
  RegistryClient client_{{.attempts = 2, .first_delay_seconds = 0.001},
                         std::make_shared<testing_support::NoCredentials>(),
                         logger_};
  ImageSource images_{*store_, client_};
  Publisher publisher_{*store_, client_, images_};
  const AssembledImage amd64_ = simple_image(*store_, "linux/amd64");
  const AssembledImage arm64_ = simple_image(*store_, "linux/arm64");
};

TEST_F(Publish, BlobsComeBeforeTheirManifest) {
  upload(amd64_, {name("team/app:1")});
  EXPECT_THAT(writes(), testing::ElementsAre("blob", "blob", "manifests/" + amd64_.manifest.digest.str()));
  EXPECT_TRUE(has_whole_image("team/app", amd64_));
}

TEST_F(Publish, UploadingMovesNoTag) {
  const Digest before = registry_.add_manifest("team/app", "1", std::string(media_type::kOciManifest),
                                               R"({"schemaVersion":2,"layers":[]})");
  upload(amd64_, {name("team/app:1")});
  EXPECT_EQ(tag("team/app", "1"), before);
}

TEST_F(Publish, TheIndexIsThereBeforeItsTags) {
  const Descriptor index = publish({amd64_, arm64_}, {name("team/app:1"), name("team/app:latest")});
  std::vector<std::string> lines = writes();
  ASSERT_GE(lines.size(), 3U);
  lines.erase(lines.begin(), lines.end() - 3);
  EXPECT_THAT(lines,
              testing::ElementsAre("manifests/" + index.digest.str(), "manifests/1", "manifests/latest"));
  EXPECT_EQ(tag("team/app", "1"), index.digest);
}

TEST_F(Publish, EveryRepositoryGetsAllOfItOnceAndEveryTagMoves) {
  const Descriptor index = publish({amd64_, arm64_}, {name("a:1"), name("a:2"), name("b/c:1")});
  for (const char* repository : {"a", "b/c"}) {
    EXPECT_TRUE(has_whole_image(repository, amd64_)) << repository;
    EXPECT_TRUE(has_whole_image(repository, arm64_)) << repository;
    EXPECT_EQ(registry_.count("PUT", concat("/v2/", repository, "/manifests/", amd64_.manifest.digest.str())),
              1U)
        << repository;
    EXPECT_EQ(tag(repository, "1"), index.digest) << repository;
  }
  EXPECT_EQ(tag("a", "2"), index.digest);
  EXPECT_EQ(tag("b/c", "2"), std::nullopt);
}

TEST_F(Publish, TagsOfOnePlatformPointAtItsManifest) {
  EXPECT_EQ(publish({amd64_}, {name("a:1")}), amd64_.manifest);
  EXPECT_EQ(tag("a", "1"), amd64_.manifest.digest);
}

TEST_F(Publish, UploadThatFailsLeavesNoManifest) {
  registry_.script(
      "PUT", "/blobs/",
      {.status = 400, .body = R"({"errors":[{"code":"BLOB_UPLOAD_INVALID","message":"quota"}]})"}, 100);
  EXPECT_THROW(upload(amd64_, {name("team/app:1")}), TransportError);
  EXPECT_EQ(registry_.count("PUT", "/manifests/"), 0U);
}

TEST_F(Publish, ShortOutageIsSatOut) {
  registry_.script("PUT", "/blobs/", {.status = 503}, 1);
  upload(amd64_, {name("team/app:1")});
  EXPECT_TRUE(has_whole_image("team/app", amd64_));
}

TEST_F(Publish, IndexThatIsRefusedMovesNoTag) {
  for (const AssembledImage& image : {amd64_, arm64_}) upload(image, {name("a:1"), name("b:1")});
  const Descriptor index = assemble_index(*store_, {amd64_, arm64_}, false);
  registry_.script("PUT", concat("/v2/b/manifests/", index.digest.str()), {.status = 400}, 100);
  EXPECT_THROW(publisher_.move_tags(index, {name("a:1"), name("b:1")}, {}), TransportError);
  EXPECT_EQ(tag("a", "1"), std::nullopt);
  EXPECT_EQ(tag("b", "1"), std::nullopt);
}

TEST_F(Publish, TagThatFailsNamesThoseThatMoved) {
  for (const AssembledImage& image : {amd64_, arm64_}) upload(image, {name("a:1")});
  const Descriptor index = assemble_index(*store_, {amd64_, arm64_}, false);
  registry_.script("PUT", "/manifests/2", {.status = 400}, 100);
  try {
    publisher_.move_tags(index, {name("a:1"), name("a:2"), name("a:3")}, {});
    FAIL() << "should have thrown";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr(name("a:2").str()));
    EXPECT_THAT(describe(error), HasSubstr("already tagged: " + name("a:1").str()));
    EXPECT_THAT(describe(error), Not(HasSubstr(name("a:3").str())));
  }
  EXPECT_EQ(tag("a", "1"), index.digest);
  EXPECT_EQ(tag("a", "3"), std::nullopt);
}

TEST_F(Publish, FirstTagThatFailsClaimsNothing) {
  upload(amd64_, {name("a:1")});
  registry_.script("PUT", "/manifests/1", {.status = 400}, 100);
  try {
    publisher_.move_tags(amd64_.manifest, {name("a:1"), name("a:2")}, {});
    FAIL() << "should have thrown";
  } catch (const Error& error) {
    EXPECT_THAT(describe(error), Not(HasSubstr("already tagged")));
  }
}

TEST_F(Publish, SecondPushUploadsNoBlob) {
  publish({amd64_, arm64_}, {name("a:1")});
  const std::size_t uploads = registry_.count("POST", "/blobs/uploads/");
  EXPECT_EQ(uploads, 4U);
  const Descriptor index = publish({amd64_, arm64_}, {name("a:2")});
  EXPECT_EQ(registry_.count("POST", "/blobs/uploads/"), uploads);
  EXPECT_EQ(tag("a", "2"), index.digest);
}

TEST_F(Publish, BasesLayerIsMountedFromItsRepository) {
  // The base as the registry has it, and an image on it.
  const std::string layer = store_->blobs().read(amd64_.layers.at(0).digest);
  const std::string config = store_->blobs().read(amd64_.config.digest);
  const std::string manifest = store_->blobs().read(amd64_.manifest.digest);
  registry_.add_blob("team/base", layer);
  registry_.add_blob("team/base", config);
  registry_.add_manifest("team/base", "1", std::string(media_type::kOciManifest), manifest);
  images_.resolve(name("team/base:1"), Platform::parse("linux/amd64"), {});

  upload(amd64_, {name("team/app:1")});
  EXPECT_EQ(registry_.count("POST", concat("mount=", "sha256")), 1U);
  EXPECT_EQ(registry_.count("PUT", "/blobs/"), 1U) << "the config alone";
  EXPECT_TRUE(has_whole_image("team/app", amd64_));
}

TEST_F(Publish, RegistryThatDoesNotMountGetsTheBytes) {
  registry_.support_mounts(false);
  registry_.add_blob("team/base", store_->blobs().read(amd64_.layers.at(0).digest));
  registry_.add_blob("team/base", store_->blobs().read(amd64_.config.digest));
  registry_.add_manifest("team/base", "1", std::string(media_type::kOciManifest),
                         store_->blobs().read(amd64_.manifest.digest));
  images_.resolve(name("team/base:1"), Platform::parse("linux/amd64"), {});
  upload(amd64_, {name("team/app:1")});
  EXPECT_TRUE(has_whole_image("team/app", amd64_));
}

TEST_F(Publish, ProgressNamesEveryBlob) {
  std::set<std::string> items;
  std::uint64_t moved = 0;
  publisher_.upload_image(amd64_.manifest, {name("a:1")},
                          [&](const std::string& item, std::uint64_t current, std::uint64_t) {
                            items.insert(item);
                            moved = std::max(moved, current);
                          },
                          {});
  EXPECT_THAT(items, testing::UnorderedElementsAre(
                         concat("sha256:", amd64_.layers.at(0).digest.short_hex(), " pushing"),
                         concat("sha256:", amd64_.config.digest.short_hex(), " pushing")));
  EXPECT_GT(moved, 0U);
}

TEST_F(Publish, BlobThatTheStoreLostIsNotFoundAndLeavesNoManifest) {
  store_->blobs().remove(amd64_.layers.at(0).digest);
  EXPECT_THROW(upload(amd64_, {name("a:1")}), NotFound);
  EXPECT_EQ(registry_.count("PUT", "/manifests/"), 0U);
}

TEST_F(Publish, StoppedBuildMovesNoTag) {
  upload(amd64_, {name("a:1")});
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THROW(publisher_.move_tags(amd64_.manifest, {name("a:1")}, stop.get_token()), Cancelled);
  EXPECT_EQ(tag("a", "1"), std::nullopt);
}

}  // namespace
}  // namespace slipway
