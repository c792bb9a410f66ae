#include "content/tree_compare.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/error.h"
#include "base/files.h"
#include "content/store_fixture.h"

namespace slipway {
namespace {
namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

/// Two trees without a lower one: what is in them is what was changed.
class TreeCompare : public testing::Test {
 protected:
  void write(const fs::path& tree, const char* name, const char* text) {
    write_file_atomic(tree / name, text, Durability::None, 0644);
  }
  std::vector<std::string> differences(std::size_t most = 100) {
    return tree_differences({one_, one_}, {other_, other_}, most, {});
  }
  TempDir directory_;
  const fs::path one_ = directory_.path() / "one", other_ = directory_.path() / "other";
  void SetUp() override {
    for (const fs::path& tree : {one_, other_}) {
      fs::create_directory(tree);
      write(tree, "file", "text");
    }
  }
};

TEST_F(TreeCompare, TimesAreNoDifference) {
  const struct timespec past[2] = {{1, 0}, {1, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (one_ / "file").c_str(), past, 0), 0);
  EXPECT_THAT(differences(), IsEmpty());
}

TEST_F(TreeCompare, ContentOfOneSizeIs) {
  write(other_, "file", "TEXT");
  EXPECT_THAT(differences(), ElementsAre("/file (content)"));
}

TEST_F(TreeCompare, EachKindOfDifferenceIsNamed) {
  write(one_, "alone", "");
  fs::create_directory(one_ / "kind");
  write(other_, "kind", "");
  fs::create_symlink("a", one_ / "link");
  fs::create_symlink("b", other_ / "link");
  write(one_, "mode", "");
  write(other_, "mode", "");
  ASSERT_EQ(::chmod((other_ / "mode").c_str(), 04755), 0);
  write(one_, "names", "");
  write(other_, "names", "");
  fs::create_hard_link(other_ / "names", directory_.path() / "second");
  write(one_, "size", "1");
  write(other_, "size", "22");
  EXPECT_THAT(differences(), ElementsAre("/alone (there once only)", "/kind (kind)", "/link (target)",
                                         "/mode (mode)", "/names (hard links)", "/size (size)"));
}

TEST_F(TreeCompare, AttributesAreCompared) {
  if (::lsetxattr((one_ / "file").c_str(), "user.colour", "red", 3, 0) != 0)
    GTEST_SKIP() << "skipped attributes: the file system of /tmp has none";
  EXPECT_THAT(differences(), ElementsAre("/file (extended attributes)"));
}

TEST_F(TreeCompare, NoMoreThanAskedForAreNamed) {
  for (const char* name : {"a", "b", "c"}) write(one_, name, "");
  EXPECT_EQ(differences(2).size(), 2U);
}

// What both changed to what the other has by not changing it: a directory that was touched, a file written
// anew.
TEST_F(TreeCompare, TheTreesCountNotWhoWroteWhat) {
  const fs::path nothing = directory_.path() / "nothing";
  fs::create_directory(nothing);
  EXPECT_THAT(tree_differences({one_, one_}, {other_, nothing}, 10, {}), IsEmpty());
}

TEST_F(TreeCompare, NamesOfOneFileAreHeldToBeSoInTheOtherTree) {
  for (const fs::path& tree : {one_, other_}) {
    write(tree, "a", "");
    write(tree, "c", "");
  }
  fs::create_hard_link(one_ / "a", one_ / "b");
  fs::create_hard_link(one_ / "c", one_ / "d");
  fs::create_hard_link(other_ / "a", other_ / "d");
  fs::create_hard_link(other_ / "c", other_ / "b");
  EXPECT_THAT(differences(), ElementsAre("/b (hard links)", "/c (hard links)", "/d (hard links)"));
}

/// Two steps on one lower tree, as overlayfs keeps what they change.
class StepCompare : public testing_support::StoreTest {
 protected:
  void SetUp() override { SLIPWAY_NEEDS_MOUNTS(); }
  std::vector<std::string> differences(const std::function<void(const fs::path&)>& first,
                                       const std::function<void(const fs::path&)>& second) {
    const auto store = open();
    ActiveSnapshot below = store->snapshots().prepare({});
    fs::create_directories(below.root() / "lower/sub");
    write_file_atomic(below.root() / "lower/file", "text");
    write_file_atomic(below.root() / "lower/sub/file", "text");
    const SnapshotId base = store->snapshots().commit(std::move(below), 1);
    const ActiveSnapshot one = store->snapshots().prepare(base), other = store->snapshots().prepare(base);
    first(one.root());
    second(other.root());
    return tree_differences({one.root(), one.upper()}, {other.root(), other.upper()}, 10, {});
  }
  static void make_anew(const fs::path& root) {
    fs::remove_all(root / "lower");
    fs::create_directory(root / "lower");
  }
};

TEST_F(StepCompare, WhatOnlyOneEmptiedIsSeenThoughTheDirectoryIsThereAgain) {
  EXPECT_THAT(differences(make_anew, [](const fs::path&) {}),
              ElementsAre("/lower/file (there once only)", "/lower/sub (there once only)",
                          "/lower/sub/file (there once only)"));
  EXPECT_THAT(differences([](const fs::path&) {}, make_anew), testing::SizeIs(3));
  EXPECT_THAT(differences(make_anew, make_anew), IsEmpty());
}

TEST_F(StepCompare, ADirectoryMadeAnewWithAllThatItHadIsTheSame) {
  const auto fill = [](const fs::path& root) {
    make_anew(root);
    fs::create_directory(root / "lower/sub");
    write_file_atomic(root / "lower/file", "text");
    write_file_atomic(root / "lower/sub/file", "text");
  };
  EXPECT_THAT(differences(fill, [](const fs::path&) {}), IsEmpty());
}

TEST_F(TreeCompare, CanBeStopped) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THROW(tree_differences({one_, one_}, {other_, other_}, 10, stop.get_token()), Cancelled);
}

}  // namespace
}  // namespace slipway
