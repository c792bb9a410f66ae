// The places of caches, and what is added to them by several at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <deque>
#include <functional>
#include <thread>

#include "base/error.h"
#include "cache/cache_place.h"
#include "cache/cache_writer.h"
#include "cache/cached_results.h"
#include "registry/fixture.h"

namespace slipway {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using testing_support::blob;
using testing_support::blobs_of;
using testing_support::cached_result;
using testing_support::kThen;

class CachePlaces : public testing_support::RegistryTest {
 protected:
  DirectoryCache in_directory(const std::string& tag = "latest") {
    return DirectoryCache(
        {.directory = directory.path() / "cache", .tag = tag, .digest = {}, .form = {}, .platforms = {}});
  }
  RegistryCache in_registry() {
    return RegistryCache({.ref = ref("team/app:cache"), .form = {}, .platforms = {}}, client);
  }

  /// A layer's bytes are its name: the blob of cached_layer().
  CacheUpload upload(const std::vector<std::string>& keys) {
    CacheUpload result{.results = {}, .mounts = {}, .layer = {}, .now = kThen};
    std::map<Digest, std::string> bytes;
    for (const std::string& key : keys) {
      result.results.push_back(cached_result(key, {"base", key}));
      bytes.emplace(Digest::of(key), key);
    }
    bytes.emplace(Digest::of("base"), "base");
    result.layer = [this, bytes](const Descriptor& layer) {
      return LayerUpload{.layer = layer,
                         .open = [this, bytes, layer] { return file_of(bytes.at(layer.digest)); },
                         .repositories = {}};
    };
    return result;
  }
  UniqueFd file_of(const std::string& bytes) {
    const auto path = directory.path() / Digest::of(bytes).short_hex();
    write_file_atomic(path, bytes);
    return open_file(path, O_RDONLY);
  }
  std::vector<std::string> keys_in(CachePlace& place, const std::vector<std::string>& asked) {
    const CacheContent content(place.read({}).config);
    std::vector<std::string> found;
    for (const std::string& key : asked)
      if (content.find(Digest::of(key))) found.push_back(key);
    return found;
  }
  std::size_t blobs_in_directory() {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(directory.path() / "cache/blobs/sha256"), {}));
  }
};

TEST_F(CachePlaces, NothingIsThereAtFirst) {
  DirectoryCache local = in_directory();
  RegistryCache remote = in_registry();
  EXPECT_EQ(local.read({}).kind, FoundCache::Kind::Nothing);
  EXPECT_EQ(remote.read({}).kind, FoundCache::Kind::Nothing);
}

TEST_F(CachePlaces, WhatIsAddedIsFoundAndFetched) {
  DirectoryCache local = in_directory();
  RegistryCache remote = in_registry();
  for (CachePlace* place : {static_cast<CachePlace*>(&local), static_cast<CachePlace*>(&remote)}) {
    add_to_cache(*place, upload({"a"}), {});
    const auto found = CacheContent(place->read({}).config).find(Digest::of("a"));
    ASSERT_TRUE(found) << place->name();
    std::filesystem::create_directories(directory.path() / "blobs");
    BlobStore blobs(directory.path() / "blobs", directory.path());
    place->fetch(found->layers[1].descriptor, blobs, {}, {});
    EXPECT_EQ(blobs.read(Digest::of("a")), "a");
    blobs.remove(Digest::of("a"));
  }
}

TEST_F(CachePlaces, WhatIsThereIsNotWrittenAgain) {
  RegistryCache remote = in_registry();
  add_to_cache(remote, upload({"a"}), {});
  const std::size_t puts = registry.count("PUT", "/manifests/");
  add_to_cache(remote, upload({"a"}), {});
  EXPECT_EQ(registry.count("PUT", "/manifests/"), puts);
}

TEST_F(CachePlaces, DirectoryForgetsBlobsThatNothingNeeds) {
  DirectoryCache local = in_directory(), other = in_directory("other");
  add_to_cache(local, upload({"a"}), {});
  add_to_cache(other, upload({"b"}), {});
  CacheUpload replacing = upload({"c"});
  replacing.reset = true;
  add_to_cache(local, replacing, {});
  EXPECT_THAT(keys_in(local, {"a", "b", "c"}), ElementsAre("c"));
  EXPECT_THAT(keys_in(other, {"a", "b", "c"}), ElementsAre("b"));
  EXPECT_EQ(blobs_in_directory(), 7U) << "base, b, c; a config and a manifest of each tag";
}

TEST_F(CachePlaces, DirectoryMissesABlobThatIsGone) {
  DirectoryCache local = in_directory();
  add_to_cache(local, upload({"a"}), {});
  const auto found = CacheContent(local.read({}).config).find(Digest::of("a"));
  std::filesystem::remove(directory.path() / "cache/blobs/sha256" / Digest::of("a").hex());
  std::filesystem::create_directories(directory.path() / "blobs");
  BlobStore blobs(directory.path() / "blobs", directory.path());
  EXPECT_THROW(local.fetch(found->layers[1].descriptor, blobs, {}, {}), NotFound);
}

TEST_F(CachePlaces, DirectoryHasABlobThatWasDamagedWrittenAgain) {
  DirectoryCache local = in_directory();
  add_to_cache(local, upload({"a"}), {});
  const Descriptor layer = CacheContent(local.read({}).config).find(Digest::of("a"))->layers[1].descriptor;
  const auto blob = directory.path() / "cache/blobs/sha256" / layer.digest.hex();
  const std::string bytes = read_file(blob);
  write_file_atomic(blob, std::string(bytes.size(), '\0'));
  std::filesystem::create_directories(directory.path() / "blobs");
  BlobStore blobs(directory.path() / "blobs", directory.path());
  EXPECT_THROW(local.fetch(layer, blobs, {}, {}), IntegrityError);
  add_to_cache(local, upload({"a"}), {});
  EXPECT_EQ(read_file(blob), bytes);
}

TEST_F(CachePlaces, ImagesAreNotReplaced) {
  registry.add_manifest("team/app", "cache", std::string(media_type::kOciManifest), manifest_text());
  RegistryCache remote = in_registry();
  try {
    add_to_cache(remote, upload({"a"}), {});
    ADD_FAILURE();
  } catch (const InvalidInput& e) {
    EXPECT_THAT(e.what(), HasSubstr("is an image"));
  }
}

TEST_F(CachePlaces, RegistryIsAskedForAConditionalWrite) {
  RegistryCache remote = in_registry();
  add_to_cache(remote, upload({"a"}), {});
  const std::string before = remote.read({}).version;
  add_to_cache(remote, upload({"b"}), {});
  const auto puts = registry.requests("PUT", "/manifests/cache");
  ASSERT_THAT(puts, SizeIs(2));
  EXPECT_EQ(puts[0].header("if-none-match"), "*");
  EXPECT_EQ(puts[1].header("if-match"), "\"" + before + "\"");
}

TEST_F(CachePlaces, RefusedWriteIsMergedAndTriedAgain) {
  registry.script("PUT", "/manifests/cache", {.status = 412});
  RegistryCache remote = in_registry();
  add_to_cache(remote, upload({"a"}), {});
  EXPECT_THAT(keys_in(remote, {"a"}), ElementsAre("a"));
}

TEST_F(CachePlaces, DirectoryHasAllThatManyWriteAtOnce) {
  const std::vector<std::string> keys = {"a", "b", "c", "d", "e", "f"};
  std::vector<CacheUpload> uploads;
  for (const std::string& key : keys) uploads.push_back(upload({key}));
  {
    std::vector<std::jthread> writers;
    for (const CacheUpload& each : uploads)
      writers.emplace_back([&] {
        DirectoryCache local = in_directory();
        add_to_cache(local, each, {});
      });
  }
  DirectoryCache local = in_directory();
  EXPECT_EQ(keys_in(local, keys), keys);
}

/// A place that keeps whoever writes last, like a registry without conditions; `after_write` is another
/// writer that does not see what was just written.
class ForgetfulPlace final : public CachePlace {
 public:
  std::string name() const override { return "the cache in a test"; }
  FoundCache read(std::stop_token) override {
    return {.kind = FoundCache::Kind::Cache, .config = config, .problem = {}, .version = "some"};
  }
  void fetch(const Descriptor&, BlobStore&, const TransferProgress&, std::stop_token) override {}
  std::vector<std::string> repositories(const std::string&) const override { return {}; }
  void add(const LayerUpload&, std::stop_token) override {}
  bool write(const CacheConfig& written, const std::string&, std::stop_token) override {
    ++writes;
    config = written;
    if (!overwrite_with.empty()) {
      config = overwrite_with.front();
      overwrite_with.pop_front();
    }
    return true;
  }
  std::chrono::milliseconds doubt() const override { return std::chrono::milliseconds(1); }

  CacheConfig config;
  std::deque<CacheConfig> overwrite_with;
  int writes = 0;
};

TEST_F(CachePlaces, LostWriteIsSeenAndDoneAgain) {
  ForgetfulPlace place;
  place.overwrite_with = {merge_cache({}, {cached_result("others", {"x"})}, kThen),
                          merge_cache({}, {cached_result("others'", {"y"})}, kThen)};
  add_to_cache(place, upload({"a"}), {});
  EXPECT_EQ(place.writes, 3);
  EXPECT_THAT(keys_in(place, {"a", "others'"}), ElementsAre("a", "others'"));
}

TEST_F(CachePlaces, EndlessOverwritingIsAnError) {
  ForgetfulPlace place;
  place.overwrite_with.assign(1000, CacheConfig{});
  EXPECT_THROW(add_to_cache(place, upload({"a"}), {}), HostError);
}

TEST_F(CachePlaces, DirectoryThatIsReplacedWhileItIsReadIsNotDamaged) {
  DirectoryCache cache = in_directory();
  const auto index = directory.path() / "cache/index.json";
  add_to_cache(cache, upload({"first"}), {});
  const std::string old = read_file(index);
  add_to_cache(cache, upload({"second"}), {});  // what the old index names is gone
  const std::string latest = read_file(index);
  std::filesystem::remove(index);
  ASSERT_EQ(::mkfifo(index.c_str(), 0600), 0);
  const std::jthread writer([&] {
    const UniqueFd reader = open_file(index, O_WRONLY);  // once it has opened the index
    write_file_atomic(index, latest);
    write_all(reader.get(), old, "pipe");
  });
  const FoundCache found = cache.read({});
  EXPECT_EQ(found.kind, FoundCache::Kind::Cache) << found.problem;
}

TEST_F(CachePlaces, WriterThatWaitsForAnotherCanBeStopped) {
  DirectoryCache cache = in_directory();
  add_to_cache(cache, upload({"first"}), {});
  const UniqueFd other = open_file(directory.path() / "cache", O_RDONLY | O_DIRECTORY);
  ASSERT_EQ(::flock(other.get(), LOCK_EX), 0);
  const FoundCache present = cache.read({});
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THROW(cache.write(present.config, present.version, stop.get_token()), Cancelled);
}

}  // namespace
}  // namespace slipway
