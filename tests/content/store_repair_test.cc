#include "content/store_repair.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "base/strings.h"
#include "content/database.h"
#include "content/layers.h"
#include "content/store_fixture.h"
#include "manifest/media_types.h"

namespace slipway {
namespace {

using namespace testing_support;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
namespace fs = std::filesystem;

class StoreRepair : public StoreTest {
 protected:
  std::vector<std::string> repair() {
    const auto store = open();
    return repair_store(*store, StoreReading::Bytes);
  }
  std::string problems() {
    const auto store = open();
    std::string all;
    for (const StoreProblem& problem : store->check(true)) all += problem.what + "\n";
    return all;
  }
  /// An image that is one config.
  Digest make_image(Store& store, const std::string& name) {
    const BlobInfo config = store.blobs().put(concat("config of ", name));
    Manifest manifest{.media_type = std::string(media_type::kOciManifest)};
    manifest.config = Descriptor{
        .media_type = std::string(media_type::kOciConfig), .digest = config.digest, .size = config.size};
    const BlobInfo blob = store.blobs().put(to_json(manifest));
    store.images().set({ImageRef::parse(name)},
                       {.media_type = manifest.media_type, .digest = blob.digest, .size = blob.size});
    return config.digest;
  }
  fs::path blob(const Digest& digest) { return root() / "blobs" / "sha256" / digest.hex(); }
  void damage_database() {
    fs::remove(root() / "slipway.db-wal");
    write_text(root() / "slipway.db", std::string(8192, '?'));
  }
  std::vector<std::string> replace() {
    std::unique_ptr<Store> store;
    return replace_database(root(), [&]() -> Store& { return *(store = open()); });
  }
};

TEST_F(StoreRepair, ASoundStoreIsLeftAlone) {
  {
    const auto store = open();
    layer_of(*store, make_snapshot(*store, {}, "a"), {}, {});
    make_image(*store, "app");
  }
  EXPECT_THAT(repair(), IsEmpty());
}

TEST_F(StoreRepair, ASnapshotWithoutItsDirectoryGoesWithWhatStandsOnIt) {
  SnapshotId parent, child, other;
  {
    const auto store = open();
    parent = make_snapshot(*store, {}, "parent");
    child = make_snapshot(*store, parent, "child");
    other = make_snapshot(*store, {}, "other");
    store->results().put(Digest::of("child"), child);
  }
  fs::remove_all(root() / "snapshots" / std::to_string(parent.value));
  EXPECT_NE(problems(), "");
  repair();
  EXPECT_EQ(problems(), "");
  const auto store = open();
  EXPECT_THAT(store->snapshots().list(), ElementsAre(other));
  EXPECT_FALSE(store->results().find(Digest::of("child")));
}

TEST_F(StoreRepair, ADamagedBlobGoesAndTheImageIsNamed) {
  Digest config = Digest::of("");
  {
    const auto store = open();
    config = make_image(*store, "lost");
    make_image(*store, "kept");
  }
  write_text(blob(config), "config of lusts");
  EXPECT_THAT(problems(), HasSubstr("is damaged"));
  EXPECT_THAT(repair(), testing::Contains(HasSubstr("forgot the image docker.io/library/lost:latest")));
  EXPECT_EQ(problems(), "");
  EXPECT_EQ(open()->images().list().size(), 1u);
}

TEST_F(StoreRepair, ALayerWithoutItsBlobIsPackedAgain) {
  SnapshotId snapshot;
  Digest layer = Digest::of("");
  {
    const auto store = open();
    snapshot = make_snapshot(*store, {}, "a");
    layer = layer_of(*store, snapshot, {}, {}).descriptor.digest;
  }
  fs::remove(blob(layer));
  EXPECT_THAT(repair(), ElementsAre(HasSubstr(concat("forgot layer ", layer.str()))));
  EXPECT_EQ(problems(), "");
  EXPECT_EQ(layer_of(*open(), snapshot, {}, {}).descriptor.digest, layer);
}

TEST_F(StoreRepair, RowsOfNoSnapshotGo) {
  open();
  run_sql("PRAGMA foreign_keys = OFF; INSERT INTO results VALUES ('sha256:0', 77)");
  EXPECT_THAT(problems(), HasSubstr("points at a row of snapshots"));
  EXPECT_THAT(repair(), ElementsAre(HasSubstr("forgot 1 rows")));
  EXPECT_EQ(problems(), "");
}

TEST_F(StoreRepair, DirectoriesOfNoSnapshotGoAndForeignFilesAreNamedAndStay) {
  open();
  fs::create_directories(root() / "snapshots" / "77" / "fs");
  fs::create_directories(root() / "snapshots" / "mine");
  write_text(root() / "notes.txt", "mine");
  write_text(root() / "blobs" / "sha256" / "notes.txt", "mine");
  repair();
  EXPECT_FALSE(fs::exists(root() / "snapshots" / "77"));
  EXPECT_THAT(problems(),
              AllOf(HasSubstr("snapshots/mine is not slipway's"),
                    HasSubstr("store/notes.txt is not slipway's"), HasSubstr("sha256/notes.txt is no blob")));
}

TEST_F(StoreRepair, AForeignLinkInThePlaceOfASnapshotIsNamedAndStaysAndTheRepairGoesOn) {
  SnapshotId lost;
  {
    const auto store = open();
    lost = make_snapshot(*store, {}, "a");
  }
  fs::remove_all(root() / "snapshots" / std::to_string(lost.value));
  fs::create_directories(root() / "snapshots" / "78" / "fs");
  fs::create_symlink("/etc", root() / "snapshots" / "77");
  const auto done = repair();
  EXPECT_THAT(done,
              ElementsAre(HasSubstr("forgot snapshot"), "removed 1 directories that belong to no snapshot"));
  EXPECT_THAT(problems(), HasSubstr("snapshots/77 is not slipway's"));
  EXPECT_THAT(problems(), testing::Not(HasSubstr("missing")));
  EXPECT_TRUE(fs::is_symlink(root() / "snapshots" / "77"));
}

TEST_F(StoreRepair, ASnapshotTakesItsPlaceFromAForeignFile) {
  const auto store = open();
  write_text(root() / "snapshots" / "1", "mine");
  const SnapshotId id = make_snapshot(*store, {}, "a");
  EXPECT_TRUE(fs::is_directory(root() / "snapshots" / std::to_string(id.value) / "fs"));
  EXPECT_EQ(id.value, 1);
}

TEST_F(StoreRepair, WhatIsInThePlaceOfABlobIsSetAsideAndTheBlobPutThere) {
  const Digest digest = Digest::of("text");
  {
    const auto store = open();
    fs::create_directory(blob(digest));
    write_text(blob(digest) / "file", "mine");
    EXPECT_THROW(store->blobs().put("text"), IntegrityError);
    EXPECT_THROW(store->blobs().open(digest), IntegrityError);
    EXPECT_THAT(store->blobs().list(), IsEmpty());
  }
  EXPECT_THAT(problems(), HasSubstr("is no regular file: the blob cannot be put there"));
  {
    const auto store = open();
    EXPECT_THAT(repair_store(*store, StoreReading::Sizes), ElementsAre(HasSubstr("set aside as")));
  }
  EXPECT_EQ(read_file(blob(digest).native() + ".foreign-1/file"), "mine");
  EXPECT_EQ(open()->blobs().put("text").digest, digest);
  EXPECT_THAT(problems(), testing::Not(HasSubstr("no regular file")));
}

TEST_F(StoreRepair, AFifoInThePlaceOfABlobIsNotWaitedFor) {
  const Digest digest = Digest::of("text");
  const auto store = open();
  ASSERT_EQ(::mkfifo(blob(digest).c_str(), 0600), 0);
  EXPECT_FALSE(store->blobs().has(digest));
  EXPECT_THROW(store->blobs().open(digest), IntegrityError);
  EXPECT_EQ(store->check(true).size(), 1u);
}

TEST_F(StoreRepair, ALostIndexIsWrittenAnew) {
  {
    const auto store = open();
    make_image(*store, "app");
  }
  const std::string index = read_file(root() / "index.json");
  write_text(root() / "index.json", "{}");
  EXPECT_THAT(repair(), ElementsAre("wrote index.json anew"));
  EXPECT_EQ(read_file(root() / "index.json"), index);
}

TEST_F(StoreRepair, ADamagedDatabaseIsSetAsideAndImagesKeepTheirNames) {
  Digest lost = Digest::of("");
  {
    const auto store = open();
    make_snapshot(*store, {}, "a");
    make_image(*store, "kept");
    lost = make_image(*store, "lost");
  }
  fs::create_directories(root() / "git");
  write_text(root() / "notes.txt", "mine");
  fs::remove(blob(lost));
  EXPECT_TRUE(has_sound_database(root()));
  damage_database();
  EXPECT_FALSE(has_sound_database(root()));
  EXPECT_THROW(open(), IntegrityError);
  const auto done = replace();
  EXPECT_THAT(done, testing::Contains(HasSubstr("named the image docker.io/library/kept:latest again")));
  EXPECT_THAT(done, testing::Contains(HasSubstr("lost the image docker.io/library/lost:latest")));
  EXPECT_TRUE(fs::exists(root() / "slipway.db.damaged-1"));
  EXPECT_TRUE(has_sound_database(root()));
  repair();
  EXPECT_THAT(problems(), testing::Not(HasSubstr("snapshot")));
  EXPECT_EQ(open()->images().list().size(), 1u);
}

TEST_F(StoreRepair, ALostDatabaseIsNoNewOneBesideImages) {
  {
    const auto store = open();
    make_image(*store, "app");
  }
  const std::string index = read_file(root() / "index.json");
  for (const bool empty : {false, true}) {
    fs::remove(root() / "slipway.db-wal");
    fs::remove(root() / "slipway.db");
    if (empty) write_text(root() / "slipway.db", "");
    EXPECT_FALSE(has_sound_database(root()));
    EXPECT_THROW(open(), IntegrityError);
    EXPECT_EQ(read_file(root() / "index.json"), index);
    EXPECT_THAT(replace(),
                testing::Contains(HasSubstr("named the image docker.io/library/app:latest again")));
    EXPECT_TRUE(has_sound_database(root()));
    EXPECT_EQ(open()->images().list().size(), 1u);
    EXPECT_EQ(read_file(root() / "index.json"), index);
  }
}

TEST_F(StoreRepair, ADatabaseWithoutTablesIsLostBesideSnapshots) {
  {
    const auto store = open();
    make_snapshot(*store, {}, "a");
  }
  fs::remove(root() / "slipway.db");
  run_sql("PRAGMA journal_mode = WAL; CREATE TABLE t (x); DROP TABLE t");
  EXPECT_FALSE(has_sound_database(root()));
  EXPECT_THROW(open(), IntegrityError);
}

TEST_F(StoreRepair, ALostDatabaseOfAStoreThatHeldNothingIsMadeInSilence) {
  open();
  for (const bool empty : {false, true}) {
    fs::remove(root() / "slipway.db");
    if (empty) write_text(root() / "slipway.db", "");
    EXPECT_TRUE(has_sound_database(root()));
    EXPECT_TRUE(open()->images().list().empty());
  }
}

TEST_F(StoreRepair, ALostDatabaseIsRestoredBesideForeignFiles) {
  {
    const auto store = open();
    make_image(*store, "app");
  }
  write_text(root() / "notes.txt", "mine");
  fs::remove(root() / "slipway.db");
  EXPECT_THROW(open(), IntegrityError);
  replace();
  EXPECT_EQ(open()->images().list().size(), 1u);
  EXPECT_EQ(read_file(root() / "notes.txt"), "mine");
}

TEST_F(StoreRepair, TheLayoutOfOthersIsNoStoreThatLostItsDatabase) {
  {
    const auto store = open();
    make_image(*store, "app");
  }
  for (const char* name : {"slipway.db", "lock"}) fs::remove(root() / name);
  EXPECT_TRUE(has_sound_database(root()));
  EXPECT_THROW(open(), HostError);
}

TEST_F(StoreRepair, ADatabaseThatOthersUseIsNotSetAside) {
  OtherProcess user([this] { return open(); });
  ASSERT_TRUE(user.wait_ready());
  damage_database();
  EXPECT_THROW(replace(), HostError);
  EXPECT_TRUE(fs::exists(root() / "slipway.db"));
}

TEST_F(StoreRepair, ADatabaseThatIsSoundByNowStays) {
  OtherProcess user([this] {
    auto store = open();
    make_image(*store, "app");
    return store;
  });
  ASSERT_TRUE(user.wait_ready());
  EXPECT_THAT(replace(), IsEmpty());
  EXPECT_FALSE(fs::exists(root() / "slipway.db.damaged-1"));
  EXPECT_EQ(open()->images().list().size(), 1u);
}

}  // namespace
}  // namespace slipway
