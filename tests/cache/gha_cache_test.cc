// The cache of GitHub Actions: what is asked of the service and the blob store, and what becomes of their
// answers.
#include "cache/gha_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "cache/cache_content.h"
#include "cache/cached_results.h"
#include "registry/fixture.h"

namespace slipway {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;
using testing_support::blobs_of;
using testing_support::cached_result;
using testing_support::error_of;
using testing_support::FakeRegistry;
using testing_support::kThen;

constexpr const char* kFind = "/GetCacheEntryDownloadURL";
constexpr const char* kReserve = "/CreateCacheEntry";
constexpr const char* kFinish = "/FinalizeCacheEntryUpload";

class GhaCaches : public testing_support::RegistryTest {
 protected:
  GhaCaches() {
    std::filesystem::create_directories(directory.path() / "blobs");
    // What no test says more of: nothing is found, everything may be written.
    last("POST", kFind, R"({"ok":false})");
    last("POST", kFinish, R"({"ok":true,"entry_id":"1"})");
    last("PUT", "/blob-store/", "", 201);
  }
  GhaCache::Options options(std::vector<GhaScope> scopes) {
    return {.url = registry.url() + "/",
            .token = Secret("hidden-token"),
            .scopes = std::move(scopes),
            .first_delay = Seconds(0.001),
            .patience = Seconds(0)};
  }
  GhaCache reader() {
    return GhaCache(options({{"refs/heads/work", true}, {"refs/heads/main", false}}), GhaCache::Role::Reader,
                    logger);
  }
  GhaCache writer() { return GhaCache(options({{"refs/heads/work", true}}), GhaCache::Role::Writer, logger); }

  /// Scripts apply in the order of their making, each so often; these come after all others.
  void answer(const std::string& method, const std::string& target, std::string body, int status = 200,
              int times = 1) {
    scripts_.push_back({method, target, {.status = status, .body = std::move(body)}, times});
  }
  void answer(const std::string& method, const std::string& target, FakeRegistry::Fault fault,
              int times = 1) {
    scripts_.push_back({method, target, std::move(fault), times});
  }
  void begin() {
    for (const Scripted& one : scripts_) registry.script(one.method, one.target, one.fault, one.times);
    for (const Scripted& one : last_) registry.script(one.method, one.target, one.fault, one.times);
  }
  std::string found(const std::string& key, const std::string& blob) {
    return concat(R"({"ok":true,"matched_key":")", key, R"(","signed_download_url":")", registry.url(),
                  "/blob-store/", blob, R"(?sig=hidden-signature"})");
  }
  std::string upload_to(const std::string& blob) {
    return concat(R"({"ok":true,"signed_upload_url":")", registry.url(), "/blob-store/", blob,
                  R"(?sig=hidden-signature"})");
  }
  static std::string index_key(const std::string& scope, int number) {
    return concat("index-buildkit-1-", Digest::of(scope).hex().substr(0, 8), "#", number);
  }
  static std::string config_of(const std::string& key) {
    return to_json(merge_cache({}, {cached_result(key, {key})}, kThen));
  }
  BlobStore blobs() { return BlobStore(directory.path() / "blobs", directory.path()); }
  LayerUpload upload(const std::string& bytes) {
    const auto file = directory.path() / "layer";
    write_file_atomic(file, bytes);
    return {
        .layer = blob_of(bytes), .open = [file] { return open_file(file, O_RDONLY); }, .repositories = {}};
  }

 private:
  struct Scripted {
    std::string method, target;
    FakeRegistry::Fault fault;
    int times;
  };
  void last(const std::string& method, const std::string& target, std::string body, int status = 200) {
    last_.push_back({method, target, {.status = status, .body = std::move(body)}, 1000});
  }
  std::vector<Scripted> scripts_, last_;
};

TEST_F(GhaCaches, NothingIsThereAtFirst) {
  begin();
  EXPECT_EQ(reader().read({}).kind, FoundCache::Kind::Nothing);
  EXPECT_EQ(writer().read({}).kind, FoundCache::Kind::Nothing);
}

TEST_F(GhaCaches, ReaderLaysTheCachesOfAllScopesTogether) {
  answer("POST", kFind, found(index_key("refs/heads/work", 3), "a"));
  answer("POST", kFind, R"({"ok":false})");
  answer("GET", "/blob-store/a", config_of("a"));
  answer("POST", kFind, found(index_key("refs/heads/main", 7), "b"));
  answer("GET", "/blob-store/b", config_of("b"));
  begin();
  const CacheContent content(reader().read({}).config);
  EXPECT_TRUE(content.find(Digest::of("a")));
  EXPECT_TRUE(content.find(Digest::of("b")));
}

TEST_F(GhaCaches, HigherNumberThanTheNewestCounts) {
  answer("POST", kFind, found(index_key("refs/heads/work", 3), "old"));
  answer("POST", kFind, found(index_key("refs/heads/work", 4), "new"));
  answer("GET", "/blob-store/new", config_of("a"));
  begin();
  EXPECT_EQ(writer().read({}).version, "4");
}

TEST_F(GhaCaches, SecretsStayWhereTheyBelong) {
  answer("POST", kFind, found(index_key("refs/heads/work", 1), "a"));
  answer("GET", "/blob-store/a", "", 400);
  begin();
  GhaCache cache = writer();
  const std::string message = error_of<TransportError>([&] { cache.read({}); });
  EXPECT_THAT(message + logger.text(), Not(HasSubstr("hidden")));
  EXPECT_EQ(registry.requests("POST", kFind).at(0).header("authorization"), "Bearer hidden-token");
  EXPECT_EQ(registry.requests("GET", "/blob-store/").at(0).header("authorization"), "");
}

TEST_F(GhaCaches, BusyServiceIsAskedAgain) {
  answer("POST", kFind, {.status = 429, .headers = {"Retry-After: 0"}}, 3);
  answer("POST", kFind, {.status = 503}, 2);
  answer("POST", kFind, found(index_key("refs/heads/work", 1), "a"));
  answer("GET", "/blob-store/a", config_of("a"));
  begin();
  EXPECT_EQ(writer().read({}).kind, FoundCache::Kind::Cache);
}

TEST_F(GhaCaches, ServiceThatStaysBusyIsAnError) {
  answer("POST", kFind,
         {.status = 429,
          .headers = {"Retry-After: 0"},
          .body = R"({"code":"resource_exhausted","msg":"too fast"})"},
         100);
  begin();
  GhaCache cache = writer();
  EXPECT_THAT(error_of<TransportError>([&] { cache.read({}); }),
              HasSubstr("the cache service answered 429: too fast"));
  EXPECT_EQ(registry.count("POST", kFind), 8U);
}

TEST_F(GhaCaches, NothingIsTriedAgainAfterTheTimeout) {
  answer("POST", kFind, {.status = 503}, 100);
  begin();
  GhaCache::Options impatient = options({{"refs/heads/work", true}});
  impatient.timeout = Seconds(0);
  GhaCache cache(impatient, GhaCache::Role::Writer, logger);
  EXPECT_THROW(cache.read({}), TransportError);
  EXPECT_EQ(registry.count("POST", kFind), 1U);
}

TEST_F(GhaCaches, GarbageIsToldAsSuch) {
  answer("POST", kFind, "<html>");
  begin();
  GhaCache cache = writer();
  EXPECT_THAT(error_of<InvalidInput>([&] { cache.read({}); }), HasSubstr("the cache service's answer"));
}

TEST_F(GhaCaches, DamagedIndexIsFollowedByAWholeOne) {
  answer("POST", kFind, found(index_key("refs/heads/work", 1), "a"));
  answer("GET", "/blob-store/a", "garbage");
  begin();
  const FoundCache cache = writer().read({});
  EXPECT_EQ(cache.kind, FoundCache::Kind::Damaged);
  EXPECT_EQ(cache.version, "1");
}

TEST_F(GhaCaches, WriterTakesTheNextNumber) {
  answer("POST", kReserve, upload_to("a"));
  begin();
  const CacheConfig config = merge_cache({}, {cached_result("a", {"a"})}, kThen);
  EXPECT_TRUE(writer().write(config, "3", {}));
  EXPECT_THAT(registry.requests("POST", kReserve).at(0).body, HasSubstr(index_key("refs/heads/work", 4)));
  const auto put = registry.requests("PUT", "/blob-store/a").at(0);
  EXPECT_EQ(put.header("x-ms-blob-type"), "BlockBlob");
  EXPECT_EQ(put.body, to_json(config));
  EXPECT_THAT(registry.requests("POST", kFinish).at(0).body,
              HasSubstr(concat(R"("size_bytes":")", put.body.size(), "\"")));
}

TEST_F(GhaCaches, NumberThatAnotherTookIsMergedWith) {
  answer("POST", kReserve, R"({"code":"already_exists","msg":"exists"})", 409);
  answer("POST", kFind, found(index_key("refs/heads/work", 4), "others"));
  begin();
  EXPECT_FALSE(writer().write({}, "3", {}));
  EXPECT_EQ(registry.count("PUT", ""), 0U);
}

TEST_F(GhaCaches, NumberOfAWriterThatIsGoneIsPassedOver) {
  answer("POST", kReserve, R"({"code":"already_exists","msg":"exists"})", 409);
  answer("POST", kReserve, upload_to("a"));
  begin();
  EXPECT_TRUE(writer().write({}, "3", {}));
  EXPECT_THAT(registry.requests("POST", kReserve).at(1).body, HasSubstr(index_key("refs/heads/work", 5)));
}

TEST_F(GhaCaches, UnfinishedEntryIsNoWrite) {
  answer("POST", kReserve, upload_to("a"));
  answer("POST", kFinish, R"({"ok":false})");
  begin();
  EXPECT_FALSE(writer().write({}, "", {}));
}

TEST_F(GhaCaches, LayerThatIsThereIsNotSentAgain) {
  const LayerUpload layer = upload("bytes");
  answer("POST", kFind, found("buildkit-blob-1-" + layer.layer.digest.str(), "a"));
  begin();
  GhaCache cache = writer();
  for (int i = 0; i < 3; ++i) cache.add(layer, {});
  EXPECT_EQ(registry.count("POST", kReserve), 0U);
  EXPECT_EQ(registry.count("POST", kFind), 1U) << "writers that meet others ask once";
}

TEST_F(GhaCaches, LayerThatTheServiceDoesNotTakeIsAnError) {
  answer("POST", kReserve, upload_to("a"));
  answer("POST", kFinish, R"({"ok":false})");
  begin();
  GhaCache cache = writer();
  EXPECT_THAT(error_of<TransportError>([&] { cache.add(upload("bytes"), {}); }),
              HasSubstr("does not take it"));
}

TEST_F(GhaCaches, ReadOnlyTokenSavesNothingAndSaysWhy) {
  begin();
  GhaCache cache(options({{"refs/heads/main", false}}), GhaCache::Role::Writer, logger);
  EXPECT_THAT(error_of<Denied>([&] { cache.read({}); }), HasSubstr("pull requests from forks"));
  EXPECT_THAT(registry.requests(), SizeIs(0));
}

TEST_F(GhaCaches, CutDownloadGoesOnWhereItStopped) {
  const std::string bytes = pattern(100'000);
  const Descriptor layer = blob_of(bytes);
  answer("POST", kFind, found("buildkit-blob-1-" + layer.digest.str(), "a"));
  answer("GET", "/blob-store/a", {.status = 200, .body = bytes, .cut_answer_after = 50'000});
  answer(
      "GET", "/blob-store/a",
      {.status = 206, .headers = {"Content-Range: bytes 50000-99999/100000"}, .body = bytes.substr(50'000)});
  begin();
  BlobStore store = blobs();
  reader().fetch(layer, store, {}, {});
  EXPECT_EQ(store.read(layer.digest), bytes);
  EXPECT_EQ(registry.requests("GET", "/blob-store/a").at(1).header("range"), "bytes=50000-");
}

TEST_F(GhaCaches, ExpiredAddressIsAskedForAgain) {
  const Descriptor layer = blob_of("bytes");
  answer("POST", kFind, found("buildkit-blob-1-" + layer.digest.str(), "a"), 200, 2);
  answer("GET", "/blob-store/a", "", 403);
  answer("GET", "/blob-store/a", "bytes");
  begin();
  BlobStore store = blobs();
  reader().fetch(layer, store, {}, {});
  EXPECT_EQ(store.read(layer.digest), "bytes");
}

TEST_F(GhaCaches, MissingAndWrongLayersAreErrors) {
  const Descriptor layer = blob_of("bytes");
  answer("POST", kFind, R"({"ok":false})");
  answer("POST", kFind, found("buildkit-blob-1-" + layer.digest.str(), "a"), 200, 2);
  answer("GET", "/blob-store/a", "other");
  answer("GET", "/blob-store/a", "much more than was said");
  begin();
  BlobStore store = blobs();
  GhaCache cache = reader();
  EXPECT_THROW(cache.fetch(layer, store, {}, {}), NotFound);
  EXPECT_THROW(cache.fetch(layer, store, {}, {}), IntegrityError);
  EXPECT_THROW(cache.fetch(layer, store, {}, {}), IntegrityError);
  EXPECT_FALSE(store.has(layer.digest));
}

TEST_F(GhaCaches, LargeFilesAreWrittenInBlocks) {
  begin();
  PatientHttp http({}, logger);
  SignedBlobs small_blocks(http, 4);
  const LayerUpload layer = upload("0123456789");
  small_blocks.upload(registry.url() + "/blob-store/a?sig=x", layer.open().get(), 10, "layer", {});
  std::vector<std::string> bodies;
  for (const auto& put : registry.requests("PUT", "comp=block&")) bodies.push_back(put.body);
  EXPECT_THAT(bodies, ElementsAre("0123", "4567", "89"));
  const auto list = registry.requests("PUT", "comp=blocklist");
  ASSERT_THAT(list, SizeIs(1));
  EXPECT_THAT(list[0].body, HasSubstr("<Latest>" + base64_encode("block-000000") + "</Latest><Latest>" +
                                      base64_encode("block-000001")));
}

class GhaCachesV1 : public GhaCaches {
 protected:
  GhaCache cache(GhaCache::Role role) {
    GhaCache::Options old = options({{"refs/heads/work", true}});
    old.api = GhaCache::Options::Api::V1;
    return GhaCache(old, role, logger);
  }
  std::string at(const std::string& key, const std::string& blob) {
    return concat(R"({"cacheKey":")", key, R"(","archiveLocation":")", registry.url(), "/blob-store/", blob,
                  "\"}");
  }
};

TEST_F(GhaCachesV1, NothingIsThereAtFirst) {
  answer("GET", "/_apis/artifactcache/cache?", "", 204);
  begin();
  EXPECT_EQ(cache(GhaCache::Role::Reader).read({}).kind, FoundCache::Kind::Nothing);
}

TEST_F(GhaCachesV1, IndexIsRead) {
  answer("GET", "/_apis/artifactcache/cache?", at(index_key("refs/heads/work", 4), "a"));
  answer("GET", "/_apis/artifactcache/cache?", at(index_key("refs/heads/work", 51), "b"));
  answer("GET", "/blob-store/a", config_of("a"));
  begin();
  EXPECT_EQ(cache(GhaCache::Role::Reader).read({}).version, "4")
      << "51 only begins like the 5 that was asked for";
  const auto asked = registry.requests("GET", "/_apis/artifactcache/cache?").at(0);
  EXPECT_EQ(asked.header("authorization"), "Bearer hidden-token");
  EXPECT_THAT(asked.target, HasSubstr("version="));
  EXPECT_EQ(registry.requests("GET", "/blob-store/").at(0).header("authorization"), "");
}

TEST_F(GhaCachesV1, EntriesAreWrittenInRanges) {
  const LayerUpload layer = upload("0123456789");
  answer("GET", "/_apis/artifactcache/cache?", "", 204);
  answer("POST", "/_apis/artifactcache/caches/7", "", 204);
  answer("POST", "/_apis/artifactcache/caches", R"({"cacheId":7})", 201);
  answer("PATCH", "/_apis/artifactcache/caches/7", "", 204);
  begin();
  cache(GhaCache::Role::Writer).add(layer, {});
  const auto patch = registry.requests("PATCH", "").at(0);
  EXPECT_EQ(patch.header("content-range"), "bytes 0-9/*");
  EXPECT_EQ(patch.body, "0123456789");
  EXPECT_EQ(registry.requests("POST", "/caches/7").at(0).body, R"({"size":10})");
}

TEST_F(GhaCachesV1, TakenNumberIsMergedWith) {
  answer("POST", "/_apis/artifactcache/caches", R"({"message":"exists"})", 409);
  answer("GET", "/_apis/artifactcache/cache?", at(index_key("refs/heads/work", 4), "others"));
  begin();
  EXPECT_FALSE(cache(GhaCache::Role::Writer).write({}, "3", {}));
}

std::string token_with(const std::string& claims) { return concat("e30.", base64_encode(claims), ".s"); }

TEST(GhaToken, ScopesAreRead) {
  EXPECT_THAT(
      scopes_of_token(Secret(token_with(
          R"({"ac":"[{\"Scope\":\"refs/heads/x\",\"Permission\":3},{\"Scope\":\"m\",\"Permission\":1}]"})"))),
      ElementsAre(GhaScope{"refs/heads/x", true}, GhaScope{"m", false}));
}

TEST(GhaToken, OthersTokensAreRefused) {
  for (const std::string& token : {std::string("ghs_abc"), std::string("a.b.c"), token_with("{}"),
                                   token_with(R"({"ac":"[]"})"), token_with(R"({"ac":5})"), std::string()})
    EXPECT_THROW(scopes_of_token(Secret(token)), InvalidInput) << token;
}

}  // namespace
}  // namespace slipway
