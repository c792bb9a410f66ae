#include <latch>
#include <thread>

#include "registry/fixture.h"

namespace slipway::testing_support {
namespace {

using testing::AllOf;
using testing::Each;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

class RegistryAuth : public RegistryTest {
 protected:
  void SetUp() override {
    registry.add_manifest("team/app", "1", std::string(media_type::kOciManifest), manifest_text());
  }
  void expect_log_without(const std::string& secret) {
    EXPECT_THAT(logger.text(), Not(HasSubstr(secret)));
    EXPECT_THAT(logger.text(), Not(HasSubstr(base64_encode("me:" + secret))));
  }
};

TEST_F(RegistryAuth, BasicCredentialsAreSentWhenAskedFor) {
  registry.require_basic("me", "hunter2");
  log_in("me", "hunter2");
  client.fetch_manifest(ref(), {});
  client.fetch_manifest(ref(), {});
  EXPECT_EQ(registry.requests().size(), 3u) << "the second call knows what the first one learned";
  EXPECT_EQ(registry.requests().at(0).header("authorization"), "");
  expect_log_without("hunter2");
}

TEST_F(RegistryAuth, WithoutCredentialsTheHintSaysHowToLogIn) {
  registry.require_basic("me", "hunter2");
  EXPECT_THAT(error_of<Denied>([&] { client.fetch_manifest(ref(), {}); }),
              AllOf(HasSubstr("UNAUTHORIZED"),
                    HasSubstr("log in with: docker login " + registry.host() + " (slipway reads ~/.docker/config.json)")));
}

TEST_F(RegistryAuth, WrongPasswordIsTriedOnce) {
  registry.require_basic("me", "hunter2");
  log_in("me", "wrong");
  EXPECT_THROW(client.fetch_manifest(ref(), {}), Denied);
  EXPECT_THROW(client.fetch_manifest(ref(), {}), Denied);
  EXPECT_EQ(registry.requests().size(), 3u);
}

TEST_F(RegistryAuth, TokenIsFetchedOnceForAScope) {
  registry.require_token("me", "hunter2");
  log_in("me", "hunter2");
  for (int i = 0; i < 3; ++i) client.fetch_manifest(ref(), {});
  ASSERT_EQ(registry.count("GET", "/token"), 1u);
  const auto token = registry.requests("GET", "/token").at(0);
  EXPECT_THAT(token.target, AllOf(HasSubstr("service=fake"), HasSubstr("scope=repository%3Ateam%2Fapp%3Apull")));
  EXPECT_EQ(registry.count("GET", "manifests"), 4u);
  expect_log_without("hunter2");
  EXPECT_THAT(logger.text(), Not(HasSubstr("token-1")));
}

TEST_F(RegistryAuth, PushingNeedsATokenOfItsOwn) {
  registry.require_token("me", "hunter2");
  log_in("me", "hunter2");
  client.fetch_manifest(ref(), {});
  client.push_manifest(ref(), "2", std::string(media_type::kOciManifest), manifest_text(), {});
  EXPECT_EQ(registry.count("GET", "/token"), 2u);
  EXPECT_EQ(registry.count("GET", "pull%2Cpush"), 1u);
}

TEST_F(RegistryAuth, AnonymousTokenServesPublicPulls) {
  registry.require_token("me", "hunter2", /*anonymous_pull=*/true);
  EXPECT_EQ(client.fetch_manifest(ref(), {}).bytes, manifest_text());
  EXPECT_THROW(client.push_manifest(ref(), "2", "t", manifest_text(), {}), Denied);
}

TEST_F(RegistryAuth, ThreadsShareOneTokenRequest) {
  registry.require_token("me", "hunter2");
  log_in("me", "hunter2");
  client.fetch_manifest(ref(), {});  // learns the realm
  registry.forget_tokens();
  registry.add_manifest("team/other", "1", std::string(media_type::kOciManifest), manifest_text());
  std::latch start(8);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i)
      threads.emplace_back([&] {
        start.arrive_and_wait();
        client.fetch_manifest(ref("team/other:1"), {});
      });
  }
  EXPECT_EQ(registry.count("GET", "scope=repository%3Ateam%2Fother"), 1u);
}

TEST_F(RegistryAuth, TokenThatIsNoLongerValidIsReplaced) {
  registry.require_token("me", "hunter2");
  log_in("me", "hunter2");
  client.fetch_manifest(ref(), {});
  registry.forget_tokens();
  EXPECT_EQ(client.fetch_manifest(ref(), {}).bytes, manifest_text());
  EXPECT_EQ(registry.count("GET", "/token"), 2u);
}

TEST_F(RegistryAuth, ExpiredTokenIsNotUsed) {
  registry.require_token("me", "hunter2");
  registry.set_token_lifetime(0);
  log_in("me", "hunter2");
  client.fetch_manifest(ref(), {});
  client.fetch_manifest(ref(), {});
  EXPECT_EQ(registry.count("GET", "manifests"), 3u) << "no request with a token known to be dead";
}

TEST_F(RegistryAuth, IdentityTokenIsExchangedByPost) {
  registry.require_token("me", "hunter2");
  registry.accept_identity_token("refresh+me");
  credentials->by_host[registry.host()] = {.username = "", .password = Secret("refresh+me")};
  EXPECT_EQ(client.fetch_manifest(ref(), {}).bytes, manifest_text());
  ASSERT_EQ(registry.count("POST", "/token"), 1u);
  const auto request = registry.requests("POST", "/token").at(0);
  EXPECT_THAT(request.body, AllOf(HasSubstr("grant_type=refresh_token"), HasSubstr("refresh_token=refresh%2Bme")));
  EXPECT_THAT(request.target, Not(HasSubstr("refresh")));
  expect_log_without("refresh");
}

TEST_F(RegistryAuth, TokenServerThatRefusesIsDenied) {
  registry.require_token("me", "hunter2");
  log_in("me", "wrong");
  EXPECT_THAT(error_of<Denied>([&] { client.fetch_manifest(ref(), {}); }),
              AllOf(HasSubstr("incorrect username or password"), HasSubstr("docker login"), Not(HasSubstr("wrong"))));
}

TEST_F(RegistryAuth, TokenServerInTroubleIsTriedAgain) {
  registry.require_token("me", "hunter2");
  log_in("me", "hunter2");
  registry.script("GET", "/token", {.status = 503});
  EXPECT_EQ(client.fetch_manifest(ref(), {}).bytes, manifest_text());
}

TEST_F(RegistryAuth, CredentialsDoNotGoToAClearTextRealmElsewhere) {
  registry.require_token("me", "hunter2");
  registry.set_token_realm("http://auth.example/token");
  log_in("me", "hunter2");
  EXPECT_THAT(error_of<Denied>([&] { client.fetch_manifest(ref(), {}); }), HasSubstr("the credentials stay here"));
}

TEST_F(RegistryAuth, TokenWithLineBreaksIsNotPutIntoAHeader) {
  registry.require_token("me", "hunter2");
  log_in("me", "hunter2");
  registry.script("GET", "/token", {.status = 200, .body = R"({"token":"x\r\nEvil: 1"})"});
  EXPECT_THROW(client.fetch_manifest(ref(), {}), TransportError);
}

TEST_F(RegistryAuth, RedirectToAnotherHostCarriesNoCredentials) {
  FakeRegistry storage;
  const std::string bytes = "layer";
  const Descriptor blob = blob_of(bytes);
  storage.add_blob("store", bytes);
  registry.require_basic("me", "hunter2");
  log_in("me", "hunter2");
  client.fetch_manifest(ref(), {});
  registry.script("GET", "blobs", {.status = 307, .headers = {concat("Location: ", storage.url(), "/v2/store/blobs/",
                                                                     blob.digest.str(), "?sig=q")}});
  EXPECT_EQ(fetch(blob).bytes, bytes);
  ASSERT_EQ(registry.count("GET", "blobs"), 1u);
  EXPECT_THAT(registry.requests("GET", "blobs").at(0).header("authorization"), HasSubstr("Basic "));
  ASSERT_THAT(storage.requests(), SizeIs(1));
  EXPECT_EQ(storage.requests().at(0).header("authorization"), "");
  EXPECT_THAT(logger.text(), Not(HasSubstr("sig=")));
}

TEST_F(RegistryAuth, ChallengeOfAnotherHostIsNotAnswered) {
  FakeRegistry storage;
  storage.require_basic("me", "hunter2");
  log_in("me", "hunter2");
  const Descriptor blob = blob_of("layer");
  registry.script("GET", "blobs", {.status = 307, .headers = {concat("Location: ", storage.url(), "/v2/s/blobs/x")}});
  EXPECT_THAT(error_of<TransportError>([&] { fetch(blob); }), HasSubstr("redirects to answered 401"));
  EXPECT_EQ(storage.requests().at(0).header("authorization"), "");
  EXPECT_THAT(storage.requests(), SizeIs(1));
}

TEST_F(RegistryAuth, UploadLocationOnAnotherHostGetsNoCredentials) {
  FakeRegistry storage;
  registry.require_basic("me", "hunter2");
  log_in("me", "hunter2");
  client.fetch_manifest(ref(), {});
  registry.script("POST", "uploads", {.status = 202, .headers = {concat("Location: ", storage.url(), "/put/here?k=v")}});
  storage.script("PUT", "/put/here", {.status = 201});
  EXPECT_EQ(push("layer"), PushEnd::Uploaded);
  ASSERT_THAT(storage.requests(), SizeIs(1));
  EXPECT_EQ(storage.requests().at(0).header("authorization"), "");
  EXPECT_EQ(storage.requests().at(0).body, "layer");
}

}  // namespace
}  // namespace slipway::testing_support
