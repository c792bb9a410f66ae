#include "build/cache_import.h"

#include <gmock/gmock.h>

#include <thread>

#include "base/error.h"
#include "build/run_fixture.h"
#include "support/fake_registry.h"

namespace slipway {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing_support::FakeRegistry;

class CacheImportsTest : public testing_support::RunTest {
 protected:
  void SetUp() override {}  // nothing is mounted
  CacheSource source(const std::string& tag, bool required = false) {
    CacheSource source;
    source.ref = ImageRef::parse(concat(fake_.host(), "/app:", tag));
    source.required = required;
    return source;
  }
  /// The registry takes the request and says nothing.
  void keep_silent() { fake_.script("GET", "/manifests/silent", {.hold = true}, 100); }
  void keep_layers_silent() { fake_.script("GET", "/blobs/", {.hold = true}, 100); }
  static RemoteResult result_of_one_layer() {
    const Descriptor layer{.media_type = "application/vnd.oci.image.layer.v1.tar+gzip",
                           .digest = Digest::of("layer"),
                           .size = 5};
    return {.result = {.key = Digest::of("key"),
                       .layers = {{.descriptor = layer, .diff_id = Digest::of("tar")}},
                       .notes = {}},
            .cache = 0};
  }
  std::vector<std::string> warnings() {
    std::vector<std::string> messages;
    for (const Warned& warned : progress_.all<Warned>()) messages.push_back(warned.message);
    return messages;
  }

  FakeRegistry fake_;
};

TEST_F(CacheImportsTest, ASilentRegistryIsGivenUp) {
  keep_silent();
  CacheImports imports({source("silent"), source("absent")}, {}, *store_, registry_, progress_,
                       {.documents = 1s});
  imports.load({});
  EXPECT_THAT(warnings(), testing::ElementsAre(HasSubstr("did not answer within 1.0s; going on without it"),
                                               HasSubstr("is not there (yet); going on without it")));
  EXPECT_EQ(imports.find(Digest::of("any")), nullptr);
}

TEST_F(CacheImportsTest, ARequiredOneIsWaitedFor) {
  keep_silent();
  CacheImports imports({source("silent", /*required=*/true)}, {}, *store_, registry_, progress_,
                       {.documents = 0s});
  const std::jthread answer([this] {
    fake_.wait_for("GET", "/manifests/silent", 1);
    fake_.release();
  });
  EXPECT_THAT([&] { imports.load({}); }, testing::ThrowsMessage<HostError>(HasSubstr("is not there")));
}

TEST_F(CacheImportsTest, OneThatIsRequiredAndIsNotThereEndsTheWaitForOthers) {
  keep_silent();
  CacheImports imports({source("absent", /*required=*/true), source("silent")}, {}, *store_, registry_,
                       progress_, {.documents = 1h});
  EXPECT_THROW(imports.load({}), HostError);
}

TEST_F(CacheImportsTest, LoadingEndsWhenItIsStopped) {
  keep_silent();
  CacheImports imports({source("silent"), source("silent", /*required=*/true)}, {}, *store_, registry_,
                       progress_, {.documents = 1h});
  std::stop_source stop;
  const std::jthread stopper([&] {
    fake_.wait_for("GET", "/manifests/silent", 1);
    stop.request_stop();
  });
  EXPECT_THROW(imports.load(stop.get_token()), Cancelled);
}

TEST_F(CacheImportsTest, ALayerOfWhichNothingComesIsGivenUp) {
  keep_layers_silent();
  CacheImports imports({source("cache")}, {}, *store_, registry_, progress_, {.layer = 100ms});
  EXPECT_THAT([&] { imports.fetch(result_of_one_layer(), {}, {}); },
              testing::ThrowsMessage<CacheLost>("sent nothing of a layer for 0.1s"));
}

TEST_F(CacheImportsTest, ALayerOfARequiredOneIsWaitedFor) {
  keep_layers_silent();
  CacheImports imports({source("cache", /*required=*/true)}, {}, *store_, registry_, progress_,
                       {.layer = 0s});
  const std::jthread answer([this] {
    fake_.wait_for("GET", "/blobs/", 1);
    fake_.release();
  });
  EXPECT_THAT([&] { imports.fetch(result_of_one_layer(), {}, {}); },
              testing::ThrowsMessage<CacheLost>(HasSubstr("does not give a layer")));
}

TEST_F(CacheImportsTest, WaitingForALayerEndsWhenItIsStopped) {
  keep_layers_silent();
  CacheImports imports({source("cache")}, {}, *store_, registry_, progress_, {.layer = 1h});
  std::stop_source stop;
  const std::jthread stopper([&] {
    fake_.wait_for("GET", "/blobs/", 1);
    stop.request_stop();
  });
  EXPECT_THROW(imports.fetch(result_of_one_layer(), {}, stop.get_token()), Cancelled);
}

}  // namespace
}  // namespace slipway
