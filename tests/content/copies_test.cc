// Snapshots without mounts, where that is more than what overlayfs does too (tree_modes_test.cc).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/error.h"
#include "base/strings.h"
#include "content/overlay_marks.h"
#include "content/store_fixture.h"
#include "content/tree_support.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing_support::describe_tree;
using testing_support::entries_of;
using testing_support::make_snapshot;
using testing_support::names_in;
using testing_support::snapshot_with;
using testing_support::TreeMaker;
using testing_support::write_text;

/// Needs no right to mount, nor any other.
class Copies : public testing_support::StoreTest {
 protected:
  SnapshotStore& snapshots() { return store_->snapshots(); }
  void reopen() {
    store_.reset();
    store_ = Store::open(root(), logger_, TreeMode::Copies);
  }
  /// The names that a step changes.
  std::vector<std::string> changed_by(SnapshotId parent, const std::function<void(const fs::path&)>& step) {
    ActiveSnapshot active = snapshots().prepare(parent);
    step(active.root());
    return names_in(snapshots().diff_directory(snapshots().commit(std::move(active), 0)));
  }
  std::unique_ptr<Store> store_ = Store::open(root(), logger_, TreeMode::Copies);
};

TEST_F(Copies, NextStepTakesTheTreeOver) {
  const SnapshotId base = make_snapshot(*store_, {}, "base");
  const SnapshotId first = make_snapshot(*store_, base, "first");
  EXPECT_EQ(entries_of(store_->temp_directory()), 2u) << "the session's lock and the tree that was kept";
  ActiveSnapshot active = snapshots().prepare(first);
  const ActiveSnapshot other = snapshots().prepare(first);
  EXPECT_NE(active.root(), other.root()) << "there is one tree to be taken";
  write_text(active.root() / "second", "");
  const SnapshotId second = snapshots().commit(std::move(active), 0);
  EXPECT_THAT(names_in(snapshots().diff_directory(second)), testing::ElementsAre("second"));
  EXPECT_FALSE(fs::exists(other.root() / "second"));
}

TEST_F(Copies, TreeThatIsReadIsNotWrittenTo) {
  const SnapshotId child = make_snapshot(*store_, make_snapshot(*store_, {}, "base"), "child");
  const MountedTree view = snapshots().view(child);
  const ActiveSnapshot active = snapshots().prepare(child);
  write_text(active.root() / "child", "changed");
  EXPECT_EQ(read_file(view.path() / "child"), "child");
}

TEST_F(Copies, ManyTreesAreNotKept) {
  const SnapshotId base = make_snapshot(*store_, {}, "base");
  for (int i = 0; i < 10; ++i) make_snapshot(*store_, base, std::to_string(i));
  EXPECT_LE(entries_of(store_->temp_directory()), 5u);
}

TEST_F(Copies, RemovedSnapshotKeepsNoTree) {
  const SnapshotId child = make_snapshot(*store_, make_snapshot(*store_, {}, "base"), "child");
  snapshots().remove(child);
  EXPECT_EQ(entries_of(store_->temp_directory()), 1u);
}

TEST_F(Copies, AbandonedOneLeavesNothing) {
  const SnapshotId base = make_snapshot(*store_, {}, "base");
  {
    const ActiveSnapshot active = snapshots().prepare(base);
    fs::create_directories(active.root() / "closed" / "inner");
    fs::permissions(active.root() / "closed", fs::perms::none);
    const ActiveSnapshot above = snapshots().prepare_above(snapshots().diff_directory(base));
  }
  EXPECT_EQ(entries_of(store_->temp_directory()), 1u);
}

TEST_F(Copies, ViewsGoWhenTheyAreNoLongerRead) {
  const SnapshotId child = make_snapshot(*store_, make_snapshot(*store_, {}, "base"), "child");
  reopen();
  MountedTree view = snapshots().view(child);
  EXPECT_THAT(names_in(view.path()), testing::ElementsAre("base", "child"));
  view.unmount();
  EXPECT_EQ(entries_of(store_->temp_directory()), 1u);
}

TEST_F(Copies, PreparedTreesShareNoFilesWithSnapshots) {
  const SnapshotId base = make_snapshot(*store_, {}, "base");
  const ActiveSnapshot above = snapshots().prepare_above(snapshots().diff_directory(base));
  const ActiveSnapshot active = snapshots().prepare(base);
  write_text(above.root() / "base", "x");
  write_text(active.root() / "base", "y");
  EXPECT_EQ(read_file(snapshots().diff_directory(base) / "base"), "base");
}

TEST_F(Copies, FileThatIsMovedAwayAndBackHasNotChanged) {
  const SnapshotId base = make_snapshot(*store_, {}, "base");
  EXPECT_THAT(changed_by(base,
                         [](const fs::path& root) {
                           struct stat before {};
                           ASSERT_EQ(::stat(root.c_str(), &before), 0);
                           fs::rename(root / "base", root / "aside");
                           fs::rename(root / "aside", root / "base");
                           fs::permissions(root / "base", fs::status(root / "base").permissions());
                           const struct timespec times[2] = {before.st_atim, before.st_mtim};
                           ASSERT_EQ(::utimensat(AT_FDCWD, root.c_str(), times, 0), 0);
                         }),
              testing::IsEmpty());
}

TEST_F(Copies, HardLinksStayLinksWhenOneIsWrittenTo) {
  const SnapshotId base = snapshot_with(
      *store_, {}, [](TreeMaker& tree) { tree.file("a/one").hard_link("b/two", "a/one").file("c"); });
  ActiveSnapshot active = snapshots().prepare(base);
  write_text(active.root() / "a/one", "changed");
  const fs::path changes = snapshots().diff_directory(snapshots().commit(std::move(active), 0));
  EXPECT_THAT(names_in(changes), testing::ElementsAre("a/", "a/one", "b/", "b/two"));
  EXPECT_TRUE(fs::equivalent(changes / "a/one", changes / "b/two"));
}

TEST_F(Copies, NewLinkToAFileMakesTheFilePartOfTheLayer) {
  const SnapshotId base = snapshot_with(*store_, {}, [](TreeMaker& tree) { tree.file("a/one").file("c"); });
  ActiveSnapshot active = snapshots().prepare(base);
  fs::create_directory(active.root() / "b");
  fs::create_hard_link(active.root() / "a/one", active.root() / "b/two");
  const fs::path changes = snapshots().diff_directory(snapshots().commit(std::move(active), 0));
  EXPECT_THAT(names_in(changes), testing::ElementsAre("a/", "a/one", "b/", "b/two"));
  EXPECT_TRUE(fs::equivalent(changes / "a/one", changes / "b/two"));
}

TEST_F(Copies, SocketsAndMarksOfDeletionAreNoFiles) {
  const SnapshotId base = make_snapshot(*store_, {}, "base");
  const SnapshotId child =
      snapshot_with(*store_, base, [](TreeMaker& tree) { tree.whiteout("base").file("x"); });
  ActiveSnapshot active = snapshots().prepare(child);
  EXPECT_THAT(names_in(active.root()), testing::ElementsAre("x"));
  TreeMaker(active.root()).whiteout("device").socket("socket");
  const SnapshotId top = snapshots().commit(std::move(active), 0);
  EXPECT_THAT(names_in(snapshots().diff_directory(top)), testing::ElementsAre("socket"));
}

TEST_F(Copies, StandInForAWhiteoutDeletes) {
  const SnapshotId base = make_snapshot(*store_, {}, "doomed");
  const SnapshotId child = snapshot_with(*store_, base, [](TreeMaker& tree) {
    tree.socket("doomed").file("x").mtime("doomed", 0);
    ASSERT_EQ(::chmod(tree.at("doomed").c_str(), 0), 0);
  });
  EXPECT_THAT(names_in(snapshots().view(child).path()), testing::ElementsAre("x"));
}

TEST_F(Copies, StopEndsTheCopying) {
  const SnapshotId base = make_snapshot(*store_, {}, "base");
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THROW(snapshots().prepare(base, stop.get_token()), Cancelled);
  EXPECT_EQ(entries_of(store_->temp_directory()), 1u);
}

TEST_F(Copies, TreeTooDeepIsRefused) {
  const SnapshotId base = make_snapshot(*store_, {}, "base");
  ActiveSnapshot active = snapshots().prepare(base);
  UniqueFd at = open_file(active.root(), O_RDONLY | O_DIRECTORY);
  for (int i = 0; i < 5000; ++i) {
    ASSERT_EQ(::mkdirat(at.get(), "d", 0700), 0);
    at = UniqueFd{::openat(at.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  }
  at.reset();
  EXPECT_THROW(snapshots().commit(std::move(active), 0), Error);
}

TEST(CopiesOnASmallDisk, SayHowMuchIsLeft) {
  SLIPWAY_NEEDS_MOUNTS();
  const fs::path disk = testing_support::small_disk(std::size_t{3} << 20);
  NullLogger logger;
  const auto store = Store::open(disk / "store", logger, TreeMode::Copies);
  const SnapshotId base = snapshot_with(
      *store, {}, [](TreeMaker& tree) { tree.file("large", std::string(std::size_t{1600} << 10, 'x')); });
  try {
    store->snapshots().prepare(base);
    FAIL() << "there was room";
  } catch (const SystemError& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("left on the file system of"));
  }
  EXPECT_EQ(entries_of(store->temp_directory()), 1u);
}

}  // namespace
}  // namespace slipway
