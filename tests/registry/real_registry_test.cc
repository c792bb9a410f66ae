// Against the reference implementation, so that the fake's idea of the protocol is not the only judge.
#include "support/real_registry.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "base/error.h"
#include "base/strings.h"
#include "manifest/media_types.h"
#include "registry/client.h"

namespace slipway::testing_support {
namespace {

class FixedCredentials final : public CredentialSource {
 public:
  explicit FixedCredentials(std::string password) : password_(std::move(password)) {}
  std::optional<Credentials> find(const std::string&) override {
    return Credentials{.username = "me", .password = Secret(password_)};
  }

 private:
  std::string password_;
};

class RealRegistryTest : public testing::Test {
 protected:
  TempDir directory;
  NullLogger logger;

  Descriptor describe_blob(const std::string& bytes, std::string_view type) const {
    return {.media_type = std::string(type), .digest = Digest::of(bytes), .size = bytes.size()};
  }
  PushEnd push(RegistryClient& client, const ImageRef& ref, const std::string& bytes,
               const std::vector<std::string>& mount_from = {}) {
    const auto file = directory.path() / std::string(Digest::of(bytes).hex());
    write_file_atomic(file, bytes);
    return client.push_blob(ref, describe_blob(bytes, media_type::kOciLayerTar),
                            [file] { return open_file(file, O_RDONLY); }, mount_from, {}, {});
  }
  std::string fetch(RegistryClient& client, const ImageRef& ref, const std::string& bytes) {
    std::string out;
    client.fetch_blob(ref, describe_blob(bytes, media_type::kOciLayerTar),
                      {.write = [&](std::string_view piece) { out += piece; }, .restart = [&] { out.clear(); }}, {}, {});
    return out;
  }
};

TEST_F(RealRegistryTest, ImageGoesThereAndBack) {
  if (const auto missing = RealRegistry::missing()) GTEST_SKIP() << *missing;
  const RealRegistry registry;
  RegistryClient client({}, nullptr, logger);
  const ImageRef ref = ImageRef::parse(registry.host() + "/team/app:1");
  const std::string layer(5'000'000, 'l');
  const std::string config =
      to_json(ImageConfig{.platform = Platform::parse("linux/amd64"), .diff_ids = {Digest::of(layer)}});

  EXPECT_EQ(client.resolve_tag(ref, {}), std::nullopt);
  EXPECT_THROW(client.fetch_manifest(ref, {}), NotFound);
  EXPECT_EQ(push(client, ref, layer), PushEnd::Uploaded);
  EXPECT_EQ(push(client, ref, config), PushEnd::Uploaded);
  EXPECT_EQ(push(client, ref, layer), PushEnd::AlreadyThere);
  const Manifest manifest{.media_type = std::string(media_type::kOciManifest),
                          .config = describe_blob(config, media_type::kOciConfig),
                          .layers = {describe_blob(layer, media_type::kOciLayerTar)}};
  const std::string bytes = to_json(manifest);
  client.push_manifest(ref, Digest::of(bytes).str(), manifest.media_type, bytes, {});
  client.push_manifest(ref, "1", manifest.media_type, bytes, {});

  EXPECT_EQ(client.resolve_tag(ref, {}), Digest::of(bytes));
  EXPECT_TRUE(client.has_manifest(ref, Digest::of(bytes), {}));
  EXPECT_FALSE(client.has_manifest(ref, Digest::of("other"), {}));
  const FetchedManifest fetched = client.fetch_manifest(ref, {});
  EXPECT_EQ(fetched.bytes, bytes);
  EXPECT_EQ(fetched.media_type, media_type::kOciManifest);
  EXPECT_EQ(fetch(client, ref, layer), layer);
  EXPECT_EQ(fetch(client, ref, config), config);
}

TEST_F(RealRegistryTest, EmptyBlobGoesThereAndBack) {
  if (const auto missing = RealRegistry::missing()) GTEST_SKIP() << *missing;
  const RealRegistry registry;
  RegistryClient client({}, nullptr, logger);
  const ImageRef ref = ImageRef::parse(registry.host() + "/team/app:1");
  push(client, ref, "");
  EXPECT_EQ(fetch(client, ref, ""), "");
}

TEST_F(RealRegistryTest, BlobIsMountedAcrossRepositories) {
  if (const auto missing = RealRegistry::missing()) GTEST_SKIP() << *missing;
  const RealRegistry registry;
  RegistryClient client({}, nullptr, logger);
  const std::string layer(100'000, 'm');
  push(client, ImageRef::parse(registry.host() + "/team/base:1"), layer);
  const ImageRef ref = ImageRef::parse(registry.host() + "/team/app:1");
  EXPECT_EQ(push(client, ref, layer, {"team/none", "team/base"}), PushEnd::Mounted);
  EXPECT_EQ(fetch(client, ref, layer), layer);
  EXPECT_EQ(push(client, ref, "another", {"team/base"}), PushEnd::Uploaded) << "not there to be mounted";
}

TEST_F(RealRegistryTest, ManifestWithMissingBlobsIsRefusedInTheRegistrysWords) {
  if (const auto missing = RealRegistry::missing()) GTEST_SKIP() << *missing;
  const RealRegistry registry;
  RegistryClient client({}, nullptr, logger);
  const Manifest manifest{.media_type = std::string(media_type::kOciManifest),
                          .config = describe_blob("c", media_type::kOciConfig),
                          .layers = {describe_blob("l", media_type::kOciLayerTar)}};
  try {
    client.push_manifest(ImageRef::parse(registry.host() + "/team/app:1"), "1", manifest.media_type, to_json(manifest), {});
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("MANIFEST_BLOB_UNKNOWN"));
  }
}

TEST_F(RealRegistryTest, PasswordIsNeededAndTaken) {
  if (const auto missing = RealRegistry::missing(true)) GTEST_SKIP() << *missing;
  const RealRegistry registry(RealRegistry::Login{.user = "me", .password = "hunter2"});
  const ImageRef ref = ImageRef::parse(registry.host() + "/team/app:1");
  RegistryClient anonymous({}, nullptr, logger);
  RegistryClient wrong({}, std::make_shared<FixedCredentials>("hunter3"), logger);
  RegistryClient right({}, std::make_shared<FixedCredentials>("hunter2"), logger);
  EXPECT_THROW(push(anonymous, ref, "layer"), Denied);
  EXPECT_THROW(push(wrong, ref, "layer"), Denied);
  EXPECT_EQ(push(right, ref, "layer"), PushEnd::Uploaded);
  EXPECT_EQ(fetch(right, ref, "layer"), "layer");
}

TEST_F(RealRegistryTest, ManyBlobsAtOnce) {
  if (const auto missing = RealRegistry::missing()) GTEST_SKIP() << *missing;
  const RealRegistry registry;
  RegistryClient client({}, nullptr, logger);
  const ImageRef ref = ImageRef::parse(registry.host() + "/team/app:1");
  std::vector<std::future<void>> all;
  for (int i = 0; i < 12; ++i)
    all.push_back(std::async(std::launch::async, [&, i] {
      const std::string layer = concat("layer ", i, std::string(200'000, 'x'));
      push(client, ref, layer);
      EXPECT_EQ(fetch(client, ref, layer), layer);
    }));
  for (auto& one : all) one.get();
}

}  // namespace
}  // namespace slipway::testing_support
