#include "content/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <thread>
#include <vector>

#include "base/error.h"
#include "base/strings.h"
#include "content/database.h"
#include "content/overlay_mount.h"
#include "content/snapshot_files.h"
#include "content/store_fixture.h"
#include "manifest/media_types.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing_support::entries_of;
using testing_support::make_snapshot;
using testing_support::OtherProcess;
using testing_support::write_text;

class StoreTest : public testing_support::StoreTest {
 protected:
  std::size_t sessions() const { return entries_of(root() / "tmp"); }
};

Descriptor put_document(Store& store, std::string_view type, std::string_view bytes) {
  const BlobInfo blob = store.blobs().put(bytes);
  return {.media_type = std::string(type), .digest = blob.digest, .size = blob.size};
}

struct TinyImage {
  Descriptor layer, config, manifest, index;
};
TinyImage make_image(Store& store) {
  TinyImage image{.layer = put_document(store, media_type::kOciLayerGzip, "layer bytes"),
                  .config = put_document(store, media_type::kOciConfig, "{}"),
                  .manifest = {.digest = Digest::of("")},
                  .index = {.digest = Digest::of("")}};
  image.manifest = put_document(store, media_type::kOciManifest,
                                to_json(Manifest{.media_type = std::string(media_type::kOciManifest),
                                                 .config = image.config,
                                                 .layers = {image.layer}}));
  image.manifest.platform = Platform::parse("linux/arm64");
  image.index = put_document(
      store, media_type::kOciIndex,
      to_json(Index{.media_type = std::string(media_type::kOciIndex), .manifests = {image.manifest}}));
  return image;
}

MATCHER_P(FatalProblem, part, "") { return arg.fatal && arg.what.find(part) != std::string::npos; }
MATCHER_P(Leftover, part, "") { return !arg.fatal && arg.what.find(part) != std::string::npos; }

TEST_F(StoreTest, NewOneIsAnEmptyOciLayoutClosedToOthers) {
  const auto store = open();
  EXPECT_EQ(read_file(root() / "oci-layout"), R"({"imageLayoutVersion":"1.0.0"})");
  EXPECT_THAT(parse_index(read_file(root() / "index.json")).value.manifests, testing::IsEmpty());
  EXPECT_TRUE(fs::is_directory(root() / "blobs" / "sha256"));
  EXPECT_TRUE(fs::is_directory(store->log_directory()));
  EXPECT_EQ(fs::status(root()).permissions() & (fs::perms::group_all | fs::perms::others_all),
            fs::perms::none);
  EXPECT_THAT(store->check(true), testing::IsEmpty());
}

TEST_F(StoreTest, ClosedInOrderLeavesNoTemporaryFiles) {
  {
    const auto store = open();
    write_text(store->temp_directory() / "scratch", "");
    EXPECT_EQ(sessions(), 1u);
  }
  EXPECT_EQ(sessions(), 0u);
}

TEST_F(StoreTest, NewerSchemaIsRefused) {
  open();
  run_sql("PRAGMA user_version = 99");
  try {
    open();
    FAIL() << "opened";
  } catch (const HostError& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("newer slipway (schema 99"));
  }
  EXPECT_EQ(sessions(), 0u);
}

TEST_F(StoreTest, SomethingElseThanADatabaseIsSaidSo) {
  open();
  fs::remove(root() / "slipway.db");
  write_text(root() / "slipway.db", std::string(8192, 'x'));
  EXPECT_THROW(open(), IntegrityError);
}

TEST_F(StoreTest, AnotherProgramsLayoutIsNotTakenOver) {
  fs::create_directories(root());
  const std::string index =
      to_json(Index{.media_type = std::string(media_type::kOciIndex),
                    .manifests = {{.media_type = "a/b", .digest = Digest::of("x"), .size = 1}}});
  write_text(root() / "index.json", index);
  EXPECT_THROW(open(), HostError);
  EXPECT_EQ(read_file(root() / "index.json"), index);
  EXPECT_FALSE(fs::exists(root() / "slipway.db"));
}

TEST_F(StoreTest, KilledProcessesDirectoryGoesAndALivingOnesStays) {
  SLIPWAY_NEEDS_MOUNTS();
  open();
  OtherProcess living([&] { return open(); });
  ASSERT_TRUE(living.wait_ready());
  OtherProcess killed([&] {
    auto store = open();
    const SnapshotId base = make_snapshot(*store, {}, "base");
    // Never ends in order: the mount, a whiteout and a closed directory are left.
    auto* active = new ActiveSnapshot(store->snapshots().prepare(base));
    fs::remove(active->root() / "base");
    fs::create_directories(active->root() / "closed" / "inner");
    fs::permissions(active->root() / "closed", fs::perms::none);
    return store;
  });
  ASSERT_TRUE(killed.wait_ready());
  EXPECT_EQ(sessions(), 2u);
  killed.kill_now();
  EXPECT_EQ(sessions(), 2u);
  EXPECT_EQ(mounts_below(root()).size(), 1u);

  const auto store = open();

  EXPECT_EQ(sessions(), 2u) << "the living one's and ours";
  EXPECT_EQ(entries_of(store->temp_directory()), 1u);
  EXPECT_THAT(mounts_below(root()), testing::IsEmpty());
  EXPECT_THAT(store->check(true), testing::IsEmpty());
  EXPECT_EQ(living.end(), 0);
  EXPECT_EQ(sessions(), 1u);
}

TEST_F(StoreTest, OneThatEndsWhileAnotherStartsIsNotTakenForDead) {
  NullLogger quiet;
  const auto open_and_close = [&] {
    for (int i = 0; i < 50; ++i) EXPECT_NO_THROW(Store::open(root(), quiet));
  };
  std::vector<std::jthread> users;
  for (int i = 0; i < 4; ++i) users.emplace_back(open_and_close);
}

TEST_F(StoreTest, CheckNamesWhatAKilledProcessLeft) {
  SLIPWAY_NEEDS_MOUNTS();
  const auto store = open();
  OtherProcess killed([&] { return open(); });
  ASSERT_TRUE(killed.wait_ready());
  EXPECT_THAT(store->check(false), testing::IsEmpty()) << "it lives";
  killed.kill_now();
  EXPECT_THAT(store->check(false), testing::ElementsAre(Leftover("left by a killed slipway")));
}

TEST_F(StoreTest, KilledBetweenRenameAndCommitLosesTheSnapshotAndNothingElse) {
  OtherProcess killed([&] {
    auto store = open();
    make_snapshot(*store, {}, "kept");
    store->database().add_snapshot({.parent = {}, .boot = boot_id()}, [&](SnapshotId id) {
      fs::create_directories(root() / "snapshots" / std::to_string(id.value) / "fs");
      ::kill(::getpid(), SIGKILL);
    });
    return store;
  });
  EXPECT_FALSE(killed.wait_ready());
  EXPECT_EQ(killed.end(), -1);
  EXPECT_EQ(entries_of(root() / "snapshots"), 2u);

  const auto store = open();

  EXPECT_EQ(store->snapshots().list().size(), 1u);
  EXPECT_EQ(entries_of(root() / "snapshots"), 1u);
  EXPECT_THAT(store->check(true), testing::IsEmpty());
}

TEST_F(StoreTest, CheckReportsADirectoryWithoutRowAsLeftover) {
  const auto store = open();
  fs::create_directories(root() / "snapshots" / "77" / "fs");
  EXPECT_THAT(store->check(false), testing::ElementsAre(Leftover("77 belongs to no snapshot")));
}

TEST_F(StoreTest, SnapshotsAreDurableAfterAnOrderlyEnd) {
  make_snapshot(*open(), {}, "file");
  run_sql("UPDATE snapshots SET boot_id = 'another'");
  EXPECT_EQ(open()->snapshots().list().size(), 1u);
}

TEST_F(StoreTest, SnapshotsThatWereNotDurableAtAPowerCutAreDroppedWithTheirChildren) {
  SLIPWAY_NEEDS_MOUNTS();
  const Digest key = Digest::of("key"), lost_key = Digest::of("lost");
  SnapshotId kept, lost;
  {
    const auto store = open();
    kept = make_snapshot(*store, {}, "kept");
    lost = make_snapshot(*store, kept, "lost");
    make_snapshot(*store, lost, "child");
    store->results().put(key, kept);
    store->results().put(lost_key, lost);
  }
  run_sql(concat("UPDATE snapshots SET durable = 0, boot_id = 'another' WHERE id = ", lost.value));

  const auto store = open();

  EXPECT_THAT(store->snapshots().list(), testing::ElementsAre(kept));
  EXPECT_EQ(entries_of(root() / "snapshots"), 1u);
  EXPECT_EQ(store->results().find(key), kept);
  EXPECT_EQ(store->results().find(lost_key), std::nullopt);
  EXPECT_THAT(store->check(true), testing::IsEmpty());
}

TEST_F(StoreTest, NonDurableSnapshotsOfThisBootStay) {
  make_snapshot(*open(), {}, "file");
  run_sql("UPDATE snapshots SET durable = 0");
  EXPECT_EQ(open()->snapshots().list().size(), 1u);
}

TEST_F(StoreTest, ResultsAreFoundByKeyWhileTheirSnapshotLives) {
  const auto store = open();
  const Digest key = Digest::of("key");
  EXPECT_EQ(store->results().find(key), std::nullopt);
  const SnapshotId first = make_snapshot(*store, {}, "first");
  const SnapshotId second = make_snapshot(*store, {}, "second");
  store->results().put(key, first);
  store->results().put(key, second);
  EXPECT_EQ(store->results().find(key), second);
  store->snapshots().remove(second);
  EXPECT_EQ(store->results().find(key), std::nullopt);
}

TEST_F(StoreTest, RecordsOfASnapshotThatIsNotThereAreRefused) {
  const auto store = open();
  const Digest digest = Digest::of("x");
  EXPECT_THROW(store->results().put(digest, SnapshotId{5}), NotFound);
  EXPECT_THROW(store->database().put_chain(digest, SnapshotId{5}), NotFound);
  EXPECT_THROW(store->database().put_layer(
                   SnapshotId{5}, "v", {.media_type = "t", .digest = digest, .size = 1, .diff_id = digest}),
               NotFound);
}

TEST_F(StoreTest, LayerRecordsAreKeptByVariant) {
  const auto store = open();
  const SnapshotId id = make_snapshot(*store, {}, "file");
  const Database::LayerRecord record{
      .media_type = "type", .digest = Digest::of("gzip"), .size = 1ULL << 40, .diff_id = Digest::of("tar")};
  store->database().put_layer(id, "gzip", record);
  const auto found = store->database().find_layer(id, "gzip");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->media_type, record.media_type);
  EXPECT_EQ(found->digest, record.digest);
  EXPECT_EQ(found->size, record.size);
  EXPECT_EQ(found->diff_id, record.diff_id);
  EXPECT_FALSE(store->database().find_layer(id, "zstd"));
}

TEST_F(StoreTest, ImageNamesAreMirroredInTheIndex) {
  const auto store = open();
  const TinyImage image = make_image(*store);
  const ImageRef app = ImageRef::parse("registry.example.com/app:1.4"), alpine = ImageRef::parse("alpine");
  store->images().set({app, alpine}, image.index);

  EXPECT_EQ(store->images().find(alpine)->descriptor, image.index);
  EXPECT_EQ(store->images().list().size(), 2u);
  const Index index = parse_index(read_file(root() / "index.json")).value;
  ASSERT_EQ(index.manifests.size(), 2u);
  EXPECT_EQ(index.manifests[0].annotations.at("org.opencontainers.image.ref.name"),
            "docker.io/library/alpine:latest");
  EXPECT_EQ(index.manifests[1].annotations.at("org.opencontainers.image.ref.name"),
            "registry.example.com/app:1.4");
  EXPECT_EQ(index.manifests[1].digest, image.index.digest);
  EXPECT_THAT(store->check(true), testing::IsEmpty());

  EXPECT_TRUE(store->images().remove(alpine));
  EXPECT_FALSE(store->images().remove(alpine));
  EXPECT_EQ(store->images().find(alpine), std::nullopt);
  EXPECT_EQ(parse_index(read_file(root() / "index.json")).value.manifests.size(), 1u);
}

TEST_F(StoreTest, NamingAnImageAnewMovesTheName) {
  const auto store = open();
  const TinyImage image = make_image(*store);
  const ImageRef name = ImageRef::parse("app");
  store->images().set({name}, image.manifest);
  store->images().set({name}, image.index);
  EXPECT_EQ(store->images().find(name)->descriptor, image.index);
  EXPECT_EQ(parse_index(read_file(root() / "index.json")).value.manifests.size(), 1u);
}

TEST_F(StoreTest, TwoProcessesNamingImagesLoseNoName) {
  const TinyImage image = make_image(*open());
  const auto naming = [&](const std::string& prefix) {
    return [this, prefix, &image] {
      auto store = open();
      for (int i = 0; i < 20; ++i) store->images().set({ImageRef::parse(concat(prefix, i))}, image.index);
      return store;
    };
  };
  OtherProcess one(naming("one")), two(naming("two"));
  EXPECT_TRUE(one.wait_ready() && two.wait_ready());
  EXPECT_EQ(one.end(), 0);
  EXPECT_EQ(two.end(), 0);
  EXPECT_EQ(open()->images().list().size(), 40u);
  EXPECT_EQ(parse_index(read_file(root() / "index.json")).value.manifests.size(), 40u);
}

TEST_F(StoreTest, LostIndexIsWrittenAnew) {
  {
    const auto store = open();
    store->images().set({ImageRef::parse("app")}, make_image(*store).index);
  }
  fs::remove(root() / "index.json");
  EXPECT_THAT(open()->check(true), testing::IsEmpty());
}

TEST_F(StoreTest, CheckFindsADamagedBlobWhenItReads) {
  const auto store = open();
  const TinyImage image = make_image(*store);
  store->images().set({ImageRef::parse("app")}, image.index);
  write_text(store->blobs().path_of(image.layer.digest), "LAYER bytes");
  EXPECT_THAT(store->check(false), testing::IsEmpty());
  EXPECT_THAT(store->check(true), testing::ElementsAre(FatalProblem(image.layer.digest.str())));
}

struct MissingCase {
  const char* name;
  Descriptor TinyImage::*part;
};
class StoreCheckMissing : public StoreTest, public testing::WithParamInterface<MissingCase> {};

TEST_P(StoreCheckMissing, BlobOfAnImageIsFatal) {
  const auto store = open();
  const TinyImage image = make_image(*store);
  store->images().set({ImageRef::parse("app")}, image.index);
  const Digest& digest = (image.*GetParam().part).digest;
  store->blobs().remove(digest);
  EXPECT_THAT(store->check(false), testing::ElementsAre(FatalProblem(digest.str())));
}
INSTANTIATE_TEST_SUITE_P(Parts, StoreCheckMissing,
                         testing::Values(MissingCase{"index", &TinyImage::index},
                                         MissingCase{"manifest", &TinyImage::manifest},
                                         MissingCase{"config", &TinyImage::config},
                                         MissingCase{"layer", &TinyImage::layer}),
                         [](const auto& row) { return row.param.name; });

TEST_F(StoreTest, CheckFindsAMissingSnapshotDirectory) {
  const auto store = open();
  const SnapshotId id = make_snapshot(*store, {}, "file");
  fs::remove_all(root() / "snapshots" / std::to_string(id.value));
  EXPECT_THAT(store->check(false), testing::ElementsAre(FatalProblem("snapshot 1's directory is missing")));
}

TEST_F(StoreTest, CheckForgivesAMissingLayerBlobOnlyIfItCanBePulledAgain) {
  const auto store = open();
  const SnapshotId id = make_snapshot(*store, {}, "file");
  const Digest pulled = Digest::of("pulled"), packed = Digest::of("packed");
  store->database().put_layer(id, "pulled",
                              {.media_type = "t", .digest = pulled, .size = 1, .diff_id = pulled});
  store->database().put_layer(id, "gzip",
                              {.media_type = "t", .digest = packed, .size = 1, .diff_id = packed});
  EXPECT_THAT(store->check(false),
              testing::UnorderedElementsAre(Leftover(pulled.str()), FatalProblem(packed.str())));
}

TEST_F(StoreTest, FullDiskIsSaidSoAndTheStoreStaysWhole) {
  SLIPWAY_NEEDS_MOUNTS();
  const fs::path disk = testing_support::small_disk(2 << 20);
  const auto store = Store::open(disk / "store", logger_);
  const SnapshotId id = make_snapshot(*store, {}, "file");
  const auto fill = [&] {
    for (int i = 0; i < 100'000; ++i) store->results().put(Digest::of(std::to_string(i)), id);
  };
  try {
    fill();
    FAIL() << "the disk took more than it has";
  } catch (const HostError& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("database or disk is full"));
    EXPECT_THAT(e.what(), testing::HasSubstr("left on the file system"));
  }
  EXPECT_EQ(store->results().find(Digest::of("0")), id);
  EXPECT_THAT(store->check(true), testing::IsEmpty());
}

class EnvironmentVariable {
 public:
  EnvironmentVariable(const char* name, const char* value)
      : name_(name), old_(std::getenv(name) ? std::getenv(name) : "") {
    ::setenv(name, value, 1);
  }
  ~EnvironmentVariable() { old_.empty() ? ::unsetenv(name_) : ::setenv(name_, old_.c_str(), 1); }

 private:
  const char* name_;
  std::string old_;
};

TEST(DefaultStoreRoot, EnvironmentComesFirst) {
  const EnvironmentVariable root("SLIPWAY_ROOT", "/elsewhere");
  EXPECT_EQ(default_store_root(), "/elsewhere");
}

// A listing with --root / once emptied /tmp.
TEST_F(StoreTest, DirectoryOfSomebodyElseIsRefusedAndLeftAsItIs) {
  std::filesystem::create_directories(root() / "tmp" / "precious");
  write_text(root() / "tmp" / "precious" / "file", "kept");
  EXPECT_THROW(open(), HostError);
  write_text(root() / "notes.txt", "mine");
  EXPECT_THROW(open(), HostError);
  EXPECT_EQ(read_file(root() / "tmp" / "precious" / "file"), "kept");
  EXPECT_FALSE(std::filesystem::exists(root() / "slipway.db"));
}

TEST_F(StoreTest, WhatIsNotOursInTmpStays) {
  open();
  std::filesystem::create_directories(root() / "tmp" / "precious");
  std::filesystem::create_directories(root() / "tmp" / "session-dead1");
  open();
  EXPECT_TRUE(std::filesystem::exists(root() / "tmp" / "precious"));
  EXPECT_FALSE(std::filesystem::exists(root() / "tmp" / "session-dead1"));
}

}  // namespace
}  // namespace slipway
