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
  std::vector<std::string> warnings() {
    std::vector<std::string> messages;
    for (const Warned& warned : progress_.all<Warned>()) messages.push_back(warned.message);
    return messages;
  }

  FakeRegistry fake_;
};

TEST_F(CacheImportsTest, ASilentRegistryIsGivenUp) {
  keep_silent();
  CacheImports imports({source("silent"), source("absent")}, {}, *store_, registry_, progress_);
  imports.load({}, 1s);
  EXPECT_THAT(warnings(), testing::ElementsAre(HasSubstr("did not answer within 1 s; going on without it"),
                                               HasSubstr("is not there (yet); going on without it")));
  EXPECT_EQ(imports.find(Digest::of("any")), nullptr);
}

TEST_F(CacheImportsTest, ARequiredOneIsWaitedFor) {
  keep_silent();
  CacheImports imports({source("silent", /*required=*/true)}, {}, *store_, registry_, progress_);
  const std::jthread answer([this] {
    fake_.wait_for("GET", "/manifests/silent", 1);
    fake_.release();
  });
  EXPECT_THAT([&] { imports.load({}, 0s); }, testing::ThrowsMessage<HostError>(HasSubstr("is not there")));
}

TEST_F(CacheImportsTest, OneThatIsRequiredAndIsNotThereEndsTheWaitForOthers) {
  keep_silent();
  CacheImports imports({source("absent", /*required=*/true), source("silent")}, {}, *store_, registry_, progress_);
  EXPECT_THROW(imports.load({}, 1h), HostError);
}

TEST_F(CacheImportsTest, LoadingEndsWhenItIsStopped) {
  keep_silent();
  CacheImports imports({source("silent"), source("silent", /*required=*/true)}, {}, *store_, registry_, progress_);
  std::stop_source stop;
  const std::jthread stopper([&] {
    fake_.wait_for("GET", "/manifests/silent", 1);
    stop.request_stop();
  });
  EXPECT_THROW(imports.load(stop.get_token(), 1h), Cancelled);
}

}  // namespace
}  // namespace slipway
