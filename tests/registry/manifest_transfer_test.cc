#include <future>

#include "registry/fixture.h"

namespace slipway::testing_support {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class ManifestTransfer : public RegistryTest {};

TEST_F(ManifestTransfer, FetchesByTagAndDigest) {
  const Digest digest = registry.add_manifest("team/app", "1", std::string(media_type::kOciManifest), manifest_text());
  const FetchedManifest by_tag = client.fetch_manifest(ref(), {});
  EXPECT_EQ(by_tag.bytes, manifest_text());
  EXPECT_EQ(by_tag.digest, digest);
  EXPECT_EQ(by_tag.media_type, media_type::kOciManifest);
  EXPECT_EQ(client.fetch_manifest(ref().with_digest(digest), {}).bytes, manifest_text());
  const std::string accept = registry.requests().at(0).header("accept");
  EXPECT_THAT(accept, AllOf(HasSubstr(std::string(media_type::kOciIndex)), HasSubstr(std::string(media_type::kDockerManifestList)),
                            HasSubstr(std::string(media_type::kDockerManifest))));
}

TEST_F(ManifestTransfer, ConnectionsAreKept) {
  registry.add_manifest("team/app", "1", std::string(media_type::kOciManifest), manifest_text());
  for (int i = 0; i < 5; ++i) client.fetch_manifest(ref(), {});
  EXPECT_EQ(registry.connections(), 1u);
}

TEST_F(ManifestTransfer, UnknownTagIsNotFound) {
  EXPECT_THAT(error_of<NotFound>([&] { client.fetch_manifest(ref("team/app:none"), {}); }),
              AllOf(HasSubstr(registry.host() + "/team/app:none: not found in the registry"),
                    HasSubstr("MANIFEST_UNKNOWN")));
  EXPECT_EQ(registry.requests().size(), 1u) << "a 404 is not tried again";
}

TEST_F(ManifestTransfer, WrongBytesForADigestAreAnIntegrityError) {
  const Digest digest = registry.add_manifest("team/app", "1", std::string(media_type::kOciManifest), manifest_text());
  registry.script("GET", "manifests", {.replace_body = R"({"schemaVersion":2,"layers":[ ]})"}, 9);
  EXPECT_THROW(client.fetch_manifest(ref().with_digest(digest), {}), IntegrityError);
  EXPECT_THROW(client.fetch_manifest(ref(), {}), IntegrityError) << "against Docker-Content-Digest";
  EXPECT_EQ(registry.requests().size(), 2u) << "never retried";
}

TEST_F(ManifestTransfer, ContentTypeMayNotContradictTheDocument) {
  registry.add_manifest("team/app", "1", std::string(media_type::kOciIndex), manifest_text());
  EXPECT_THROW(client.fetch_manifest(ref(), {}), InvalidInput);
}

TEST_F(ManifestTransfer, OversizedManifestIsRefused) {
  registry.add_manifest("team/app", "1", std::string(media_type::kOciManifest), std::string((4 << 20) + 1, ' '));
  EXPECT_THAT(error_of<InvalidInput>([&] { client.fetch_manifest(ref(), {}); }), HasSubstr("larger than"));
}

TEST_F(ManifestTransfer, ServerErrorsAreTriedAgain) {
  registry.add_manifest("team/app", "1", std::string(media_type::kOciManifest), manifest_text());
  registry.script("GET", "manifests", {.status = 500}, 1);
  registry.script("GET", "manifests", {.cut_answer_after = 3}, 1);
  EXPECT_EQ(client.fetch_manifest(ref(), {}).bytes, manifest_text());
  EXPECT_EQ(registry.requests().size(), 3u);
}

TEST_F(ManifestTransfer, AfterAllAttemptsTheRegistrysWordsAreShown) {
  registry.script("GET", "manifests",
                  {.status = 503, .body = R"({"errors":[{"code":"UNAVAILABLE","message":"out for lunch"}]})"}, 99);
  EXPECT_THAT(error_of<TransportError>([&] { client.fetch_manifest(ref(), {}); }),
              AllOf(HasSubstr("503"), HasSubstr("UNAVAILABLE: out for lunch"), HasSubstr(registry.host())));
  EXPECT_EQ(registry.requests().size(), 3u);
}

TEST_F(ManifestTransfer, RetryAfterIsHonoured) {
  registry.add_manifest("team/app", "1", std::string(media_type::kOciManifest), manifest_text());
  registry.script("GET", "manifests", {.status = 429, .headers = {"Retry-After: 0"}}, 2);
  EXPECT_EQ(client.fetch_manifest(ref(), {}).bytes, manifest_text());
  EXPECT_EQ(registry.requests().size(), 3u);
}

TEST_F(ManifestTransfer, StopEndsALongRetryAfterWithoutAnotherRequest) {
  registry.script("GET", "manifests", {.status = 429, .headers = {"Retry-After: 60"}}, 99);
  std::stop_source source;
  auto result = std::async(std::launch::async, [&] { client.fetch_manifest(ref(), source.get_token()); });
  ASSERT_TRUE(registry.wait_for("GET", "manifests", 1));
  source.request_stop();
  EXPECT_THROW(result.get(), Cancelled);
  EXPECT_EQ(registry.requests().size(), 1u);
}

TEST_F(ManifestTransfer, StopEndsARequestThatHangs) {
  registry.script("GET", "manifests", {.hold = true}, 99);
  std::stop_source source;
  auto result = std::async(std::launch::async, [&] { client.fetch_manifest(ref(), source.get_token()); });
  ASSERT_TRUE(registry.wait_for("GET", "manifests", 1));
  source.request_stop();
  EXPECT_THROW(result.get(), Cancelled);
}

TEST_F(ManifestTransfer, StoppedBeforehandAsksNothing) {
  std::stop_source source;
  source.request_stop();
  EXPECT_THROW(client.fetch_manifest(ref(), source.get_token()), Cancelled);
  EXPECT_TRUE(registry.requests().empty());
}

TEST_F(ManifestTransfer, UnreachableRegistryIsNamedWithItsPort) {
  NullLogger quiet;
  RegistryClient hasty({.attempts = 1}, nullptr, quiet);
  EXPECT_THAT(error_of<TransportError>([&] { hasty.fetch_manifest(ImageRef::parse("127.0.0.1:1/x"), {}); }),
              AllOf(HasSubstr("127.0.0.1:1"), HasSubstr("is a registry running")));
}

TEST_F(ManifestTransfer, TlsAgainstAPlainServerSuggestsWhatIsWrong) {
  // 0.0.0.0 reaches this machine but is no loopback name, so TLS is spoken.
  NullLogger quiet;
  RegistryClient hasty({.attempts = 1}, nullptr, quiet);
  const std::string port = registry.host().substr(registry.host().find(':'));
  EXPECT_THAT(error_of<TransportError>([&] { hasty.fetch_manifest(ImageRef::parse("0.0.0.0" + port + "/x"), {}); }),
              HasSubstr("plain HTTP"));
}

TEST_F(ManifestTransfer, PushStoresUnderTagAndDigest) {
  const Digest digest = Digest::of(manifest_text());
  const std::string type(media_type::kOciManifest);
  client.push_manifest(ref(), digest.str(), type, manifest_text(), {});
  EXPECT_TRUE(client.has_manifest(ref(), digest, {}));
  EXPECT_EQ(client.resolve_tag(ref(), {}), std::nullopt);
  client.push_manifest(ref(), "1", type, manifest_text(), {});
  EXPECT_EQ(client.resolve_tag(ref(), {}), digest);
  EXPECT_EQ(registry.manifest("team/app", "1"), manifest_text());
  EXPECT_EQ(registry.requests("PUT", "manifests").at(0).header("content-type"), type);
  EXPECT_EQ(registry.requests("PUT", "manifests").at(0).header("expect"), "");
}

TEST_F(ManifestTransfer, PushUnderAWrongDigestIsRefusedBeforeItIsSent) {
  EXPECT_THROW(client.push_manifest(ref(), Digest::of("x").str(), "t", manifest_text(), {}), IntegrityError);
  EXPECT_TRUE(registry.requests().empty());
}

TEST_F(ManifestTransfer, RegistryThatStoresOtherBytesIsNoticed) {
  registry.script("PUT", "manifests",
                  {.status = 201, .headers = {"Docker-Content-Digest: " + Digest::of("other").str()}});
  EXPECT_THROW(client.push_manifest(ref(), "1", "t", manifest_text(), {}), IntegrityError);
}

TEST_F(ManifestTransfer, HasManifestIsFalseForAnother) {
  EXPECT_FALSE(client.has_manifest(ref(), Digest::of("x"), {}));
}

TEST_F(ManifestTransfer, ResolveTagWithoutDigestHeaderReadsTheBytes) {
  registry.omit_digest_header(true);
  const Digest digest = registry.add_manifest("team/app", "1", std::string(media_type::kOciManifest), manifest_text());
  EXPECT_EQ(client.resolve_tag(ref(), {}), digest);
}

TEST_F(ManifestTransfer, ErrorTextFromOutsideIsMadeHarmless) {
  registry.script("PUT", "manifests",
                  {.status = 400, .body = R"({"errors":[{"code":"MANIFEST_INVALID","message":"\u001b[2Jbad"}]})"});
  EXPECT_THAT(error_of<TransportError>([&] { client.push_manifest(ref(), "1", "t", manifest_text(), {}); }),
              AllOf(HasSubstr("MANIFEST_INVALID"), HasSubstr("bad"), testing::Not(HasSubstr("\x1b"))));
}

TEST_F(ManifestTransfer, EndlessRedirectsEnd) {
  registry.script("GET", "manifests", {.status = 307, .headers = {"Location: manifests/again"}}, 99);
  registry.script("GET", "again", {.status = 307, .headers = {"Location: again"}}, 99);
  EXPECT_THAT(error_of<TransportError>([&] { client.fetch_manifest(ref(), {}); }), HasSubstr("redirects"));
}

TEST_F(ManifestTransfer, RedirectedPutIsNotFollowed) {
  registry.script("PUT", "manifests", {.status = 307, .headers = {"Location: /elsewhere"}});
  EXPECT_THROW(client.push_manifest(ref(), "1", "t", manifest_text(), {}), TransportError);
  EXPECT_EQ(registry.count("PUT", "elsewhere"), 0u);
}

}  // namespace
}  // namespace slipway::testing_support
