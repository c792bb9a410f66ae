#include <gmock/gmock.h>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "content/selection_list.h"
#include "content/store_fixture.h"
#include "content/tree.h"
#include "content/tree_support.h"

namespace slipway::testing_support {
namespace {

/// A tree that every test digests before and after one change.
class TreeDigest : public StoreTest {
 protected:
  void SetUp() override { make(tree_); }
  static void make(TreeMaker& tree) {
    tree.directory("")
        .file("dir/file", "one")
        .file("dir/tool", "two", 0755)
        .link("dir/link", "file")
        .directory("dir/empty");
    tree.file("top.log", "log");
  }
  Digest digest(const std::string& src = "/", const PatternMatcher* ignored = nullptr, bool of_context = true,
                const PatternMatcher* excluded = nullptr) {
    const RootedDir root(tree_.at(""));
    return digest_selection({.tree = &root, .src = src, .ignored = ignored, .excluded = excluded}, of_context,
                            nullptr, {});
  }
  TreeMaker tree_{directory_.path() / "tree"};
};

TEST_F(TreeDigest, SameTreeElsewhereIsTheSame) {
  TreeMaker other(directory_.path() / "other");
  make(other);
  const RootedDir root(other.at(""));
  EXPECT_EQ(digest_selection({.tree = &root, .src = "/"}, true, nullptr, {}), digest());
}

TEST_F(TreeDigest, TimesDoNotCount) {
  const Digest before = digest();
  tree_.all_mtimes(12345);
  EXPECT_EQ(digest(), before);
}

// More than are looked at together: files and directories, in the order of their names.
TEST_F(TreeDigest, LargeDirectoriesAreListedInOrder) {
  std::vector<std::string> wanted{""};
  for (int i = 1000; i < 1600; ++i) {
    const std::string name = std::to_string(i);
    wanted.push_back(name);
    if (i % 7 == 0) {
      tree_.file(concat("large/", name, "/in"), name);
      wanted.push_back(name + "/in");
    } else {
      tree_.file(concat("large/", name), name);
    }
  }
  const RootedDir root(tree_.at(""));
  const auto list = list_selection({.tree = &root, .src = "large"}, true, nullptr, {});

  std::vector<std::string> listed;
  for (const SelectedFile& file : list->files) {
    listed.push_back(file.entry.relative);
    if (file.entry.is_file()) {
      EXPECT_EQ(file.bytes, Digest::of(file.entry.relative.substr(0, 4)));
    }
  }
  EXPECT_EQ(listed, wanted);
}

struct Change {
  const char* name;
  void (*make)(TreeMaker&);
};
class TreeDigestChange : public TreeDigest, public testing::WithParamInterface<Change> {};
TEST_P(TreeDigestChange, IsSeen) {
  const Digest before = digest();
  GetParam().make(tree_);
  EXPECT_NE(digest(), before);
}
INSTANTIATE_TEST_SUITE_P(
    Each, TreeDigestChange,
    testing::Values(Change{"bytes", [](TreeMaker& tree) { tree.file("dir/file", "ONE"); }},
                    Change{"mode", [](TreeMaker& tree) { tree.file("dir/file", "one", 0600); }},
                    Change{"directory_mode", [](TreeMaker& tree) { tree.directory("dir/empty", 0700); }},
                    Change{"new_file", [](TreeMaker& tree) { tree.file("dir/new", ""); }},
                    Change{"new_directory", [](TreeMaker& tree) { tree.directory("dir/new"); }},
                    Change{"link_target",
                           [](TreeMaker& tree) {
                             std::filesystem::remove(tree.at("dir/link"));
                             tree.link("dir/link", "tool");
                           }},
                    Change{"removed", [](TreeMaker& tree) { std::filesystem::remove(tree.at("dir/empty")); }},
                    Change{"renamed",
                           [](TreeMaker& tree) {
                             std::filesystem::rename(tree.at("dir/file"), tree.at("dir/fild"));
                           }},
                    Change{"became_hard_link",
                           [](TreeMaker& tree) {
                             tree.file("dir/same", "one");
                             std::filesystem::remove(tree.at("dir/same"));
                             tree.hard_link("dir/same", "dir/file");
                           }}),
    [](const auto& row) { return row.param.name; });

TEST_F(TreeDigest, OwnersCountUnlessIgnored) {
  SLIPWAY_NEEDS_CHOWN();
  const Digest without = digest("/", nullptr, true), with = digest("/", nullptr, false);
  tree_.owner("dir/file", 1234, 5678);
  EXPECT_EQ(digest("/", nullptr, true), without);
  EXPECT_NE(digest("/", nullptr, false), with);
}

TEST_F(TreeDigest, AttributesCountUnlessOfAContext) {
  SLIPWAY_NEEDS_XATTR("user.x");
  const Digest context = digest("/", nullptr, /*of_context=*/true);
  const Digest stage = digest("/", nullptr, /*of_context=*/false);
  tree_.xattr("dir/file", "user.x", "1");
  EXPECT_EQ(digest("/", nullptr, /*of_context=*/true), context);
  EXPECT_NE(digest("/", nullptr, /*of_context=*/false), stage);
}

TEST_F(TreeDigest, IgnoredFilesDoNotCount) {
  const PatternMatcher ignored({"*.log"});
  const Digest before = digest("/", &ignored);
  tree_.file("top.log", "other").file("new.log", "");
  EXPECT_EQ(digest("/", &ignored), before);
}

TEST_F(TreeDigest, ExcludedFilesDoNotCount) {
  const PatternMatcher excluded({"*.log"});
  const Digest before = digest("/dir", nullptr, true, &excluded);
  tree_.file("dir/new.log", "");
  EXPECT_EQ(digest("/dir", nullptr, true, &excluded), before);
  EXPECT_NE(digest("/dir"), before);
}

TEST_F(TreeDigest, UnselectedFilesDoNotCount) {
  const Digest before = digest("/dir");
  tree_.file("top.log", "other");
  EXPECT_EQ(digest("/dir"), before);
}

TEST_F(TreeDigest, NamesThatAWildcardFoundCount) {
  const Digest before = digest("/*.log");
  std::filesystem::rename(tree_.at("top.log"), tree_.at("pot.log"));
  EXPECT_NE(digest("/*.log"), before);
}

TEST_F(TreeDigest, CacheGivesTheSameDigestAndIsBelieved) {
  const std::unique_ptr<Store> store = open();
  const RootedDir root(tree_.at(""));
  const Selection selection{.tree = &root, .src = "/dir/file"};
  tree_.mtime("dir/file", 1000);
  const Digest plain = digest("/dir/file");
  EXPECT_EQ(digest_selection(selection, true, &store->file_digests(), {}), plain);
  EXPECT_EQ(digest_selection(selection, true, &store->file_digests(), {}), plain);
}

TEST_F(TreeDigest, FileChangedAMomentAgoIsNotTakenFromTheCache) {
  const std::unique_ptr<Store> store = open();
  struct stat status {};
  ASSERT_EQ(::stat(tree_.at("dir/file").c_str(), &status), 0);
  const auto ns = [](const struct timespec& time) { return time.tv_sec * 1'000'000'000 + time.tv_nsec; };
  store->file_digests().remember({.device = status.st_dev,
                                  .inode = status.st_ino,
                                  .size = static_cast<std::uint64_t>(status.st_size),
                                  .mtime_ns = ns(status.st_mtim),
                                  .ctime_ns = ns(status.st_ctim)},
                                 Digest::of("a lie"));
  const RootedDir root(tree_.at(""));
  EXPECT_EQ(digest_selection({.tree = &root, .src = "/dir/file"}, true, &store->file_digests(), {}),
            digest("/dir/file"));
}

TEST_F(TreeDigest, UnreadableLookingThingsAreDigestedWithoutBeingOpened) {
  tree_.fifo("dir/pipe").socket("dir/socket");
  EXPECT_NE(digest("/dir"), digest("/"));
}

TEST_F(TreeDigest, StopsWhenAsked) {
  std::stop_source stop;
  stop.request_stop();
  const RootedDir root(tree_.at(""));
  EXPECT_THROW(digest_selection({.tree = &root, .src = "/"}, true, nullptr, stop.get_token()), Cancelled);
}

TEST_F(TreeDigest, ManyFilesInParallelGiveTheSameDigest) {
  for (int i = 0; i < 300; ++i) tree_.file(concat("many/", i), concat("bytes ", i));
  EXPECT_EQ(digest("/many"), digest("/many"));
}

}  // namespace
}  // namespace slipway::testing_support
