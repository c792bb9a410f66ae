#include "content/snapshots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/strings.h"
#include "content/database.h"
#include "content/overlay_mount.h"
#include "content/snapshot_files.h"
#include "content/store_fixture.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing_support::entries_of;
using testing_support::make_snapshot;
using testing_support::OtherProcess;
using testing_support::write_text;

class Snapshots : public testing_support::StoreTest {
 protected:
  void SetUp() override {
    SLIPWAY_NEEDS_MOUNTS();
    store_ = open();
  }
  SnapshotStore& snapshots() { return store_->snapshots(); }
  std::unique_ptr<Store> store_;
};

struct stat status_of(const fs::path& path) {
  struct stat status {};
  EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
  return status;
}

TEST_F(Snapshots, FirstIsAPlainDirectoryWithoutAMount) {
  ActiveSnapshot active = snapshots().prepare({});
  EXPECT_EQ(active.root(), active.upper());
  EXPECT_THAT(mounts_below(store_->root()), testing::IsEmpty());
  write_text(active.root() / "file", "bytes");
  const SnapshotId id = snapshots().commit(std::move(active), 42);

  EXPECT_EQ(read_file(snapshots().diff_directory(id) / "file"), "bytes");
  EXPECT_EQ(snapshots().info(id).created, 42);
  EXPECT_EQ(snapshots().info(id).parent, std::nullopt);
  EXPECT_EQ(snapshots().view(id).path(), snapshots().diff_directory(id));
}

TEST_F(Snapshots, ChildHoldsOnlyItsChangesAndTheViewHoldsAll) {
  const SnapshotId base = make_snapshot(*store_, {}, "base");
  const SnapshotId middle = make_snapshot(*store_, base, "middle");
  const SnapshotId top = make_snapshot(*store_, middle, "top");

  EXPECT_THAT(snapshots().chain(top), testing::ElementsAre(base, middle, top));
  EXPECT_EQ(snapshots().info(top).parent, middle);
  EXPECT_EQ(entries_of(snapshots().diff_directory(top)), 1u);
  MountedTree view = snapshots().view(top);
  for (const char* name : {"base", "middle", "top"}) EXPECT_EQ(read_file(view.path() / name), name);
  EXPECT_THROW(write_text(view.path() / "new", ""), SystemError) << "a view is read-only";
  const fs::path path = view.path();
  view.unmount();
  EXPECT_FALSE(fs::exists(path));
  EXPECT_THAT(mounts_below(store_->root()), testing::IsEmpty());
}

TEST_F(Snapshots, OnlyTheUpperDirectoryIsKept) {
  const SnapshotId base = make_snapshot(*store_, {}, "base");
  const SnapshotId child = make_snapshot(*store_, base, "child");
  EXPECT_EQ(entries_of(snapshots().diff_directory(child).parent_path()), 1u);
  EXPECT_EQ(entries_of(store_->temp_directory()), 1u) << "the session's lock alone";
}

TEST_F(Snapshots, RemovedFileIsAWhiteoutAndGoneFromTheView) {
  const SnapshotId base = make_snapshot(*store_, {}, "doomed");
  ActiveSnapshot active = snapshots().prepare(base);
  fs::remove(active.root() / "doomed");
  const SnapshotId child = snapshots().commit(std::move(active), 0);

  const struct stat whiteout = status_of(snapshots().diff_directory(child) / "doomed");
  EXPECT_TRUE(S_ISCHR(whiteout.st_mode));
  EXPECT_EQ(whiteout.st_rdev, 0u);
  EXPECT_FALSE(fs::exists(snapshots().view(child).path() / "doomed"));
  EXPECT_TRUE(fs::exists(snapshots().view(base).path() / "doomed"));
}

TEST_F(Snapshots, RenamedDirectoryIsCopiedNotRedirected) {
  ActiveSnapshot first = snapshots().prepare({});
  fs::create_directory(first.root() / "old");
  write_text(first.root() / "old" / "file", "bytes");
  const SnapshotId base = snapshots().commit(std::move(first), 0);
  ActiveSnapshot second = snapshots().prepare(base);
  // As mv does: the kernel answers EXDEV where a redirect would be needed.
  EXPECT_NE(::rename((second.root() / "old").c_str(), (second.root() / "new").c_str()), 0);
  EXPECT_EQ(errno, EXDEV);
}

TEST_F(Snapshots, ChangedModeCopiesTheWholeFile) {
  const SnapshotId base = make_snapshot(*store_, {}, "file");
  ActiveSnapshot active = snapshots().prepare(base);
  fs::permissions(active.root() / "file", fs::perms::owner_read);
  const SnapshotId child = snapshots().commit(std::move(active), 0);
  EXPECT_EQ(read_file(snapshots().diff_directory(child) / "file"), "file");
}

TEST_F(Snapshots, RootDirectoryKeepsItsAttributes) {
  ActiveSnapshot first = snapshots().prepare({});
  ASSERT_EQ(::chown(first.root().c_str(), 12, 34), 0);
  ASSERT_EQ(::chmod(first.root().c_str(), 01710), 0);
  const struct timespec times[2] = {{.tv_sec = 1000, .tv_nsec = 5}, {.tv_sec = 1000, .tv_nsec = 5}};
  ASSERT_EQ(::utimensat(AT_FDCWD, first.root().c_str(), times, 0), 0);
  const SnapshotId base = snapshots().commit(std::move(first), 0);

  const ActiveSnapshot child = snapshots().prepare(base);
  const struct stat root = status_of(child.root());
  EXPECT_EQ(root.st_mode & 07777, 01710u);
  EXPECT_EQ(root.st_uid, 12u);
  EXPECT_EQ(root.st_gid, 34u);
  EXPECT_EQ(root.st_mtim.tv_sec, 1000);
  EXPECT_EQ(root.st_mtim.tv_nsec, 5);
}

TEST_F(Snapshots, UnmountedPreparationWritesWhiteoutsItself) {
  const SnapshotId base = make_snapshot(*store_, {}, "doomed");
  ActiveSnapshot active = snapshots().prepare_unmounted(base);
  EXPECT_EQ(active.root(), active.upper());
  ASSERT_EQ(::mknod((active.root() / "doomed").c_str(), S_IFCHR, 0), 0);
  const SnapshotId child = snapshots().commit(std::move(active), 0);
  EXPECT_FALSE(fs::exists(snapshots().view(child).path() / "doomed"));
}

TEST_F(Snapshots, AbandonedOneLeavesNothing) {
  const SnapshotId base = make_snapshot(*store_, {}, "base");
  {
    ActiveSnapshot active = snapshots().prepare(base);
    fs::remove(active.root() / "base");
    fs::create_directories(active.root() / "closed" / "inner");
    fs::permissions(active.root() / "closed", fs::perms::none);
    const ActiveSnapshot moved(std::move(active));
  }
  EXPECT_THAT(mounts_below(store_->root()), testing::IsEmpty());
  EXPECT_EQ(entries_of(store_->temp_directory()), 1u);
  EXPECT_THAT(snapshots().list(), testing::ElementsAre(base));
}

TEST_F(Snapshots, OpenFileMakesUnmountFailInsteadOfLosingWrites) {
  const SnapshotId base = make_snapshot(*store_, {}, "base");
  ActiveSnapshot active = snapshots().prepare(base);
  const UniqueFd held = open_file(active.root() / "late", O_WRONLY | O_CREAT);
  EXPECT_THROW(snapshots().commit(std::move(active), 0), SystemError);
  EXPECT_THAT(mounts_below(store_->root()), testing::IsEmpty());
  EXPECT_THAT(snapshots().list(), testing::ElementsAre(base));
}

TEST_F(Snapshots, LongChainsMount) {
  SnapshotId top = make_snapshot(*store_, {}, "0");
  for (int i = 1; i < 150; ++i) {
    ActiveSnapshot active = snapshots().prepare_unmounted(top);
    write_text(active.root() / std::to_string(i), "");
    top = snapshots().commit(std::move(active), 0);
  }
  EXPECT_EQ(entries_of(snapshots().view(top).path()), 150u);
}

TEST_F(Snapshots, ChainBeyondOverlayfsLimitIsRefusedWithItsLength) {
  std::optional<SnapshotId> top;
  for (int i = 0; i < 900; ++i) top = store_->database().add_snapshot({.parent = top, .boot = boot_id()}, [](SnapshotId) {});
  try {
    snapshots().view(*top);
    FAIL() << "mounted";
  } catch (const InvalidInput& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("900 layers"));
  }
}

TEST_F(Snapshots, AbsentOnesAreNotFound) {
  const SnapshotId absent{99};
  EXPECT_FALSE(snapshots().exists(absent));
  EXPECT_THROW(snapshots().info(absent), NotFound);
  EXPECT_THROW(snapshots().chain(absent), NotFound);
  EXPECT_THROW(snapshots().view(absent), NotFound);
  EXPECT_THROW(snapshots().prepare(absent), NotFound);
  EXPECT_THROW(snapshots().remove(absent), NotFound);
}

TEST_F(Snapshots, RemovedWithItsRecordsChildrenFirst) {
  const SnapshotId base = make_snapshot(*store_, {}, "base");
  const SnapshotId child = make_snapshot(*store_, base, "child");
  const Digest digest = Digest::of("layer");
  store_->database().put_layer(child, "pulled",
                               {.media_type = "t", .digest = digest, .size = 1, .diff_id = digest});
  store_->database().put_chain(digest, child);
  store_->results().put(digest, child);

  EXPECT_THROW(snapshots().remove(base), InvalidInput);
  snapshots().remove(child);

  EXPECT_EQ(store_->database().find_layer(child, "pulled"), std::nullopt);
  EXPECT_EQ(store_->database().find_chain(digest), std::nullopt);
  EXPECT_EQ(store_->results().find(digest), std::nullopt);
  EXPECT_FALSE(fs::exists(snapshots().diff_directory(child)));
  snapshots().remove(base);
  EXPECT_EQ(entries_of(root() / "snapshots"), 0u);
}

TEST_F(Snapshots, IdsAreNeverUsedTwice) {
  const SnapshotId first = make_snapshot(*store_, {}, "first");
  snapshots().remove(first);
  EXPECT_GT(make_snapshot(*store_, {}, "second"), first);
}

TEST_F(Snapshots, CommitAboveAParentThatWentAwayLeavesNothing) {
  const SnapshotId base = make_snapshot(*store_, {}, "base");
  ActiveSnapshot active = snapshots().prepare_unmounted(base);
  snapshots().remove(base);
  EXPECT_THROW(snapshots().commit(std::move(active), 0), NotFound);
  EXPECT_EQ(entries_of(root() / "snapshots"), 0u);
  EXPECT_EQ(entries_of(store_->temp_directory()), 1u);
}

TEST_F(Snapshots, DirectoryWithoutRowDoesNotBlockTheNextCommit) {
  fs::create_directories(root() / "snapshots" / "1" / "fs" / "debris");
  const SnapshotId id = make_snapshot(*store_, {}, "file");
  EXPECT_EQ(id.value, 1);
  EXPECT_EQ(entries_of(snapshots().diff_directory(id)), 1u);
}

TEST_F(Snapshots, TwoProcessesCommitAtOnce) {
  constexpr int kEach = 25;
  store_.reset();
  const auto work = [&] {
    auto store = open();
    const SnapshotId base = make_snapshot(*store, {}, "base");
    for (int i = 0; i < kEach - 1; ++i) make_snapshot(*store, base, std::to_string(i));
    return store;
  };
  OtherProcess one(work), two(work);
  EXPECT_TRUE(one.wait_ready() && two.wait_ready());
  EXPECT_EQ(one.end(), 0);
  EXPECT_EQ(two.end(), 0);

  store_ = open();
  EXPECT_EQ(snapshots().list().size(), 2u * kEach);
  EXPECT_EQ(entries_of(root() / "snapshots"), 2u * kEach);
  EXPECT_THAT(store_->check(true), testing::IsEmpty());
}

TEST(OverlayMounts, PathsThatOptionsCannotHoldStillWorkAsStoreRoots) {
  SLIPWAY_NEEDS_MOUNTS();
  const TempDir directory(testing_support::test_space(), "a,b:c\\d e");
  NullLogger logger;
  const auto store = Store::open(directory.path() / "store", logger);
  const SnapshotId base = make_snapshot(*store, {}, "base");
  const SnapshotId child = make_snapshot(*store, base, "child");
  EXPECT_EQ(entries_of(store->snapshots().view(child).path()), 2u);
}

TEST(OverlayMounts, UpperDirectoryElsewhereWithAColonIsRefused) {
  EXPECT_THROW(
      mount_overlay(
          {.base = "/a", .lower = {"1/fs"}, .upper = "/b:c/fs", .work = "/b:c/work", .target = "/t"}),
      HostError);
}

}  // namespace
}  // namespace slipway
