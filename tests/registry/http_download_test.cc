#include "registry/http_download.h"

#include "registry/fixture.h"

namespace slipway::testing_support {
namespace {

using testing::HasSubstr;
using Fault = FakeRegistry::Fault;

class HttpDownloadTest : public RegistryTest {
 protected:
  HttpDownloader downloader{{.attempts = 3, .first_delay_seconds = 0.001}, logger};
  Received received;

  HttpDownloaded get(HttpDownload what = {}, const TransferProgress& progress = {}) {
    if (what.url.empty()) what.url = registry.url() + "/file.bin";
    return downloader.download(what, sink_into(received), progress, {});
  }
  void answer(Fault fault, int times = 1, const std::string& part = "/file.bin") {
    registry.script("GET", part, std::move(fault), times);
  }
};

TEST_F(HttpDownloadTest, GivesTheBytesAndWhatTheServerSaysOfThem) {
  answer({.status = 200,
          .headers = {"ETag: \"v1\"", "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT",
                      "Content-Disposition: attachment; filename=x"},
          .body = "hello"});
  std::uint64_t told = 0;
  const HttpDownloaded got = get({}, [&](std::uint64_t current, std::uint64_t) { told = current; });
  EXPECT_EQ(received.bytes, "hello");
  EXPECT_FALSE(got.not_modified);
  EXPECT_EQ(got.etag, "\"v1\"");
  EXPECT_EQ(parse_http_date(got.last_modified), 784111777);
  EXPECT_EQ(got.content_disposition, "attachment; filename=x");
  EXPECT_EQ(told, 5u);
}

TEST_F(HttpDownloadTest, AsksOnlyForWhatChanged) {
  answer({.status = 304});
  const HttpDownloaded got = get({.etag = "\"v1\"", .last_modified = "Sun, 06 Nov 1994 08:49:37 GMT"});
  EXPECT_TRUE(got.not_modified);
  EXPECT_EQ(received.bytes, "");
  EXPECT_EQ(registry.requests().front().header("if-none-match"), "\"v1\"");
  EXPECT_EQ(registry.requests().front().header("if-modified-since"), "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST_F(HttpDownloadTest, StopsEarlyIfTheServerSendsTheSameVersionAgain) {
  answer({.status = 200, .headers = {"ETag: \"v1\""}, .body = "hello"});
  EXPECT_TRUE(get({.etag = "\"v1\""}).not_modified);
  EXPECT_EQ(received.bytes, "");
}

TEST_F(HttpDownloadTest, NotModifiedWithoutACopyAtHandIsAnError) {
  answer({.status = 304});
  EXPECT_THROW(get(), TransportError);
}

TEST_F(HttpDownloadTest, ResumesACutTransferOfTheSameFile) {
  answer({.status = 200, .headers = {"ETag: \"v1\""}, .body = "hello world", .cut_answer_after = 6});
  answer({.status = 206, .headers = {"ETag: \"v1\"", "Content-Range: bytes 6-10/11"}, .body = "world"});
  get();
  EXPECT_EQ(received.bytes, "hello world");
  EXPECT_EQ(received.restarts, 0);
  EXPECT_EQ(registry.requests().back().header("range"), "bytes=6-");
  EXPECT_EQ(registry.requests().back().header("if-range"), "\"v1\"");
}

TEST_F(HttpDownloadTest, StartsAgainIfTheFileChangedMeanwhile) {
  answer({.status = 200, .headers = {"ETag: \"v1\""}, .body = "hello world", .cut_answer_after = 6});
  answer({.status = 200, .headers = {"ETag: \"v2\""}, .body = "other"});
  EXPECT_EQ(get().etag, "\"v2\"");
  EXPECT_EQ(received.bytes, "other");
}

TEST_F(HttpDownloadTest, DoesNotAppendThePartOfAnotherVersion) {
  answer({.status = 200, .headers = {"ETag: \"v1\""}, .body = "hello world", .cut_answer_after = 6});
  answer({.status = 206, .headers = {"ETag: \"v2\"", "Content-Range: bytes 6-10/11"}, .body = "WORLD"});
  answer({.status = 200, .headers = {"ETag: \"v2\""}, .body = "HELLO WORLD"});
  get();
  EXPECT_EQ(received.bytes, "HELLO WORLD");
}

TEST_F(HttpDownloadTest, WithoutValidatorsACutTransferStartsAgain) {
  answer({.status = 200, .body = "hello world", .cut_answer_after = 6});
  answer({.status = 200, .body = "hello world"});
  get();
  EXPECT_EQ(received.bytes, "hello world");
  EXPECT_EQ(registry.requests().back().header("range"), "");
}

TEST_F(HttpDownloadTest, FollowsRedirectsAndKeepsSecretsFromOtherServers) {
  FakeRegistry other;
  other.script("GET", "/elsewhere", {.status = 200, .body = "hello"});
  answer({.status = 302, .headers = {"Location: " + other.url() + "/elsewhere"}});
  get({.url = registry.url() + "/file.bin", .authorization = Secret("Bearer sesame")});
  EXPECT_EQ(received.bytes, "hello");
  EXPECT_EQ(registry.requests().front().header("authorization"), "Bearer sesame");
  EXPECT_EQ(other.requests().front().header("authorization"), "");
}

TEST_F(HttpDownloadTest, RedirectsToOtherSchemesAreRefused) {
  const TempDir secret;
  write_file_atomic(secret.path() / "passwd", "root");
  answer({.status = 302, .headers = {"Location: file://" + (secret.path() / "passwd").native()}});
  EXPECT_THAT(error_of<TransportError>([&] { get(); }), HasSubstr("unusable address file://"));
  EXPECT_EQ(received.bytes, "");
}

TEST_F(HttpDownloadTest, RedirectLoopsEnd) {
  answer({.status = 301, .headers = {"Location: /file.bin"}}, 100);
  EXPECT_THAT(error_of<TransportError>([&] { get(); }), HasSubstr("more than 10 redirects"));
}

TEST_F(HttpDownloadTest, StatusesAreErrorsThatNameTheUrlWithoutItsQuery) {
  const HttpDownload signed_url{.url = registry.url() + "/file.bin?signature=secret"};
  answer({.status = 404});
  const std::string missing = error_of<NotFound>([&] { get(signed_url); });
  EXPECT_THAT(missing, HasSubstr("/file.bin: not found (404)"));
  EXPECT_THAT(missing, testing::Not(HasSubstr("secret")));
  answer({.status = 403});
  EXPECT_THAT(error_of<Denied>([&] { get(signed_url); }), HasSubstr("answered 403"));
  answer({.status = 418});
  EXPECT_THAT(error_of<TransportError>([&] { get(signed_url); }), HasSubstr("answered 418"));
  EXPECT_EQ(registry.requests().size(), 3u);
}

TEST_F(HttpDownloadTest, BusyServersAreAskedAgain) {
  answer({.status = 503}, 2);
  answer({.status = 200, .body = "hello"});
  get();
  EXPECT_EQ(received.bytes, "hello");
}

TEST_F(HttpDownloadTest, UnreachableServersAreNotCalledRegistries) {
  const std::string message = error_of<TransportError>([&] { get({.url = "http://127.0.0.1:1/x"}); });
  EXPECT_THAT(message, HasSubstr("cannot reach server 127.0.0.1:1"));
  EXPECT_THAT(message, testing::Not(HasSubstr("registry")));
}

}  // namespace
}  // namespace slipway::testing_support
