#include "nodes/http_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "content/mount_environment.h"
#include "support/fake_registry.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class HttpSourceTest : public testing::Test {
 protected:
  SourceOp source(const std::string& path = "/dir/file.txt",
                  std::map<std::string, std::string> attrs = {}) const {
    return {.identifier = server_.url() + path, .attrs = std::move(attrs)};
  }
  void answer(const std::string& body, std::vector<std::string> headers = {}) {
    server_.script("GET", "/", {.status = 200, .headers = std::move(headers), .body = body});
  }
  HttpVersion resolve(const SourceOp& source) { return http_.resolve(source, {}, {}); }
  fs::path tree(const SourceOp& source) {
    return store_->snapshots().diff_directory(http_.unpack(source, resolve(source), {}, {}));
  }

  testing_support::FakeRegistry server_;
  TempDir directory_{testing_support::test_space(), "http"};
  NullLogger logger_;
  std::unique_ptr<Store> store_ = Store::open(directory_.path() / "store", logger_);
  std::map<std::string, Secret> secrets_;
  HttpDownloader downloader_{{.attempts = 2, .first_delay_seconds = 0.001}, logger_};
  HttpSource http_{*store_, downloader_, secrets_};
};

TEST_F(HttpSourceTest, TreeHasTheOneFileAsTheServerDatesIt) {
  answer("hello", {"Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT"});
  const fs::path root = tree(source());
  EXPECT_EQ(read_file(root / "file.txt"), "hello");
  struct stat status {};
  ASSERT_EQ(::stat((root / "file.txt").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  EXPECT_EQ(status.st_mtime, 784111777);
  EXPECT_EQ(std::distance(fs::directory_iterator(root), {}), 1);
}

TEST_F(HttpSourceTest, UnchangedFileIsNotFetchedAgain) {
  answer("hello", {"ETag: \"v1\""});
  const HttpVersion before = resolve(source());
  server_.script("GET", "/", {.status = 304});
  const HttpVersion after = resolve(source());
  EXPECT_EQ(before.identity(), after.identity());
  EXPECT_EQ(server_.requests().back().header("if-none-match"), "\"v1\"");
}

TEST_F(HttpSourceTest, ChangedFileIsAnotherIdentity) {
  answer("hello", {"ETag: \"v1\""});
  const std::string before = resolve(source()).identity();
  answer("world", {"ETag: \"v2\""});
  EXPECT_NE(resolve(source()).identity(), before);
}

TEST_F(HttpSourceTest, LostBodyIsFetchedAgainInFull) {
  answer("hello", {"ETag: \"v1\""});
  store_->blobs().remove(resolve(source()).content);
  answer("hello", {"ETag: \"v1\""});
  EXPECT_TRUE(store_->blobs().has(resolve(source()).content));
  EXPECT_EQ(server_.requests().back().header("if-none-match"), "");
}

TEST_F(HttpSourceTest, ChecksumNeedsNoRequestToBeResolved) {
  const std::string digest = Digest::of("hello").str();
  const SourceOp pinned = source("/file", {{kAttrHttpChecksum, digest}});
  EXPECT_EQ(resolve(pinned).content.str(), digest);
  EXPECT_EQ(server_.requests().size(), 0u);
  answer("hello");
  EXPECT_EQ(read_file(tree(pinned) / "file"), "hello");
  EXPECT_EQ(read_file(tree(pinned) / "file"), "hello");
  EXPECT_EQ(server_.requests().size(), 1u);
}

TEST_F(HttpSourceTest, WrongChecksumIsAnIntegrityErrorThatNamesTheUrl) {
  const SourceOp pinned = source("/file", {{kAttrHttpChecksum, Digest::of("hello").str()}});
  answer("evil");
  try {
    tree(pinned);
    FAIL();
  } catch (const IntegrityError& e) {
    EXPECT_THAT(e.what(), HasSubstr("/file"));
    EXPECT_THAT(e.what(), HasSubstr(Digest::of("evil").str()));
  }
  EXPECT_FALSE(store_->blobs().has(Digest::of("evil")));
}

TEST_F(HttpSourceTest, FileThatChangesBetweenResolvingAndFetchingIsNoticed) {
  answer("hello");
  const HttpVersion version = resolve(source());
  store_->blobs().remove(version.content);
  answer("other");
  EXPECT_THROW(http_.unpack(source(), version, {}, {}), IntegrityError);
}

TEST_F(HttpSourceTest, OtherChecksumsAreRefused) {
  EXPECT_THROW(resolve(source("/x", {{kAttrHttpChecksum, "md5:abc"}})), InvalidInput);
}

TEST_F(HttpSourceTest, TokensGoToTheirHostOnly) {
  secrets_.emplace("HTTP_AUTH_TOKEN_127.0.0.1", Secret("sesame\n"));
  secrets_.emplace("HTTP_AUTH_TOKEN_other", Secret("no"));
  answer("x");
  resolve(source());
  EXPECT_EQ(server_.requests().back().header("authorization"), "Bearer sesame");
  secrets_.emplace("HTTP_AUTH_HEADER_127.0.0.1", Secret("Custom x"));
  answer("x");
  resolve(source());
  EXPECT_EQ(server_.requests().back().header("authorization"), "Custom x");
}

TEST_F(HttpSourceTest, UserAndPasswordOfTheUrlTravelAsAHeader) {
  answer("x");
  resolve({.identifier = concat("http://user:pass@", server_.host(), "/f"), .attrs = {}});
  EXPECT_EQ(server_.requests().back().header("authorization"), "Basic " + base64_encode("user:pass"));
  EXPECT_EQ(server_.requests().back().target, "/f");
}

TEST_F(HttpSourceTest, RefusalSaysHowToGiveAToken) {
  server_.script("GET", "/", {.status = 401});
  try {
    resolve(source());
    FAIL();
  } catch (const Denied& e) {
    EXPECT_THAT(e.hint(), HasSubstr("--secret id=HTTP_AUTH_TOKEN_127.0.0.1"));
  }
}

TEST_F(HttpSourceTest, DamagedRecordIsAsGoodAsNone) {
  answer("hello", {"ETag: \"v1\""});
  resolve(source());
  for (const auto& entry : fs::directory_iterator(store_->root() / "http"))
    write_file_atomic(entry.path(), "{]");
  answer("hello");
  EXPECT_EQ(resolve(source()).content, Digest::of("hello"));
}

TEST(DownloadName, IsAsAskedElseTheServersElseTheUrls) {
  EXPECT_EQ(download_name("a", "attachment; filename=b", "http://h/c"), "a");
  EXPECT_EQ(download_name("", "attachment; filename=b", "http://h/c"), "b");
  EXPECT_EQ(download_name("", "attachment; filename=\"b \\\"c\\\".txt\"; x=y", "http://h/c"), "b \"c\".txt");
  EXPECT_EQ(download_name("", "inline", "http://h/d/c.tgz?x=/y#z"), "c.tgz");
  EXPECT_EQ(download_name("", "", "http://h/d/"), "d");
  EXPECT_EQ(download_name("", "", "http://h"), "download");
  EXPECT_EQ(download_name("", "", "http://h/?x=a/b"), "download");
}

TEST(DownloadName, NeverLeadsElsewhere) {
  EXPECT_EQ(download_name("", "attachment; filename=\"../../etc/passwd\"", "http://h/c"), "passwd");
  EXPECT_EQ(download_name("", "attachment; filename=\"..\"", "http://h/c"), "c");
  EXPECT_EQ(download_name("", "", "http://h/.."), "download");
  EXPECT_THROW(download_name("a/b", "", "http://h/c"), InvalidInput);
  EXPECT_THROW(download_name("..", "", "http://h/c"), InvalidInput);
}

}  // namespace
}  // namespace slipway
