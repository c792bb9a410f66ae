#include <gmock/gmock.h>

#include "base/error.h"
#include "base/files.h"
#include "content/mount_environment.h"
#include "content/tree.h"
#include "content/tree_support.h"

namespace slipway::testing_support {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class TreeCopyTest : public testing::Test {
 protected:
  void copy(const std::string& src, CopyOptions options) { copy_these({.src = src}, std::move(options)); }
  void copy_these(Selection selection, CopyOptions options) {
    const RootedDir source(source_directory_), target(target_directory_);
    selection.tree = &source;
    copy_selection(selection, target, options, {});
  }
  std::string text(const std::string& path) { return read_file(to_.at(path)); }
  struct stat status(const std::string& path) {
    struct stat found {};
    EXPECT_EQ(::lstat(to_.at(path).c_str(), &found), 0) << path;
    return found;
  }
  std::vector<std::string> names() { return names_in(to_.at("")); }

  TempDir directory_{test_space(), "copy"};
  std::filesystem::path source_directory_ = directory_.path() / "from",
                        target_directory_ = directory_.path() / "to";
  TreeMaker from_{source_directory_}, to_{target_directory_};
  void SetUp() override {
    from_.directory("");
    to_.directory("");
  }
};

TEST_F(TreeCopyTest, FileToAName) {
  from_.file("a", "bytes", 0640).mtime("a", 1000, 5);
  copy("/a", {.dest = "/new/name"});
  EXPECT_EQ(text("new/name"), "bytes");
  EXPECT_EQ(status("new/name").st_mode & 07777, 0640U);
  EXPECT_EQ(status("new/name").st_mtim.tv_sec, 1000);
  EXPECT_EQ(status("new/name").st_mtim.tv_nsec, 5);
}

TEST_F(TreeCopyTest, FileIntoADirectory) {
  from_.file("a");
  to_.directory("there");
  copy("/a", {.dest = "/there"});
  copy("/a", {.dest = "/made/"});
  EXPECT_THAT(names(), ElementsAre("made/", "made/a", "there/", "there/a"));
}

TEST_F(TreeCopyTest, ContentsOfADirectory) {
  from_.directory("dir", 0711).file("dir/a").file("dir/sub/b").mtime("dir", 2000);
  copy("/dir", {.dest = "/x"});
  EXPECT_THAT(names(), ElementsAre("x/", "x/a", "x/sub/", "x/sub/b"));
  EXPECT_EQ(status("x").st_mode & 07777, 0755U) << "as of any directory that is made on the way";
  EXPECT_EQ(status("x").st_mtim.tv_sec, 2000);
}

TEST_F(TreeCopyTest, DirectoryThatTheDestinationNamesTakesOnlyTheTime) {
  SLIPWAY_NEEDS_CHOWN();
  from_.file("dir/sub/f").directory("dir/sub", 0711).owner("dir", 7, 7).owner("dir/sub", 7, 7);
  from_.mtime("dir", 2000).mtime("dir/sub", 3000);
  to_.directory("x/sub", 0777).directory("x", 0700).owner("x", 5, 6).owner("x/sub", 5, 6);
  copy("/dir", {.dest = "/x"});
  EXPECT_EQ(status("x").st_mode & 07777, 0700U);
  EXPECT_EQ(status("x").st_uid, 5U);
  EXPECT_EQ(status("x").st_mtim.tv_sec, 2000);
  EXPECT_EQ(status("x/sub").st_mode & 07777, 0711U);
  EXPECT_EQ(status("x/sub").st_uid, 7U);
  EXPECT_EQ(status("x/sub").st_mtim.tv_sec, 3000);
}

TEST_F(TreeCopyTest, DirectoryItself) {
  from_.file("dir/a");
  to_.directory("x");
  copy_these({.src = "/dir", .copy_dir_contents = false}, {.dest = "/x"});
  copy_these({.src = "/dir", .copy_dir_contents = false}, {.dest = "/y"});
  EXPECT_THAT(names(), ElementsAre("x/", "x/dir/", "x/dir/a", "y/", "y/a"));
}

TEST_F(TreeCopyTest, MergesIntoAnExistingDirectory) {
  from_.file("dir/a", "new").file("dir/sub/b");
  to_.directory("x", 0700).file("x/a", "old").file("x/kept").file("x/sub/kept");
  copy("/dir", {.dest = "/x/"});
  EXPECT_THAT(names(), ElementsAre("x/", "x/a", "x/kept", "x/sub/", "x/sub/b", "x/sub/kept"));
  EXPECT_EQ(text("x/a"), "new");
  EXPECT_EQ(status("x").st_mode & 07777, 0700U);
}

TEST_F(TreeCopyTest, WholeTreeIntoTheRoot) {
  from_.file("etc/x").link("bin", "usr/bin").directory("usr/bin");
  copy("/", {.dest = "/"});
  EXPECT_THAT(names(), ElementsAre("bin", "etc/", "etc/x", "usr/", "usr/bin/"));
}

TEST_F(TreeCopyTest, SeveralIntoADirectory) {
  from_.file("a1").file("a2");
  copy("/a*", {.dest = "/d/"});
  EXPECT_THAT(names(), ElementsAre("d/", "d/a1", "d/a2"));
}

TEST_F(TreeCopyTest, LastOfSeveralFilesIsWhatANameHolds) {
  from_.file("a1", "one").file("a2", "two");
  copy("/a*", {.dest = "/name"});
  EXPECT_EQ(text("name"), "two");
}

TEST_F(TreeCopyTest, CapabilitiesOfAContextStayBehind) {
  SLIPWAY_NEEDS_CHOWN();
  from_.file("f").xattr("f", "security.capability",
                        std::string_view("\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20));
  copy("/f", {.dest = "/of-a-stage"});
  copy("/f", {.dest = "/of-a-context", .source_is_roots = true});
  EXPECT_THAT(describe_tree(to_.at("")),
              ElementsAre(Not(HasSubstr("security.capability")), HasSubstr("security.capability")));
}

TEST_F(TreeCopyTest, OwnLinkIsFollowedLinksInsideAreKept) {
  from_.file("dir/a", "bytes").link("dir/inner", "a").link("link", "dir/a").link("linked-dir", "/dir");
  copy("/link", {.dest = "/file"});
  copy("/linked-dir", {.dest = "/d"});
  copy_these({.src = "/link", .follow_symlink = false}, {.dest = "/same"});
  EXPECT_EQ(text("file"), "bytes");
  EXPECT_FALSE(std::filesystem::is_symlink(to_.at("file")));
  EXPECT_EQ(std::filesystem::read_symlink(to_.at("d/inner")), "a");
  EXPECT_EQ(std::filesystem::read_symlink(to_.at("same")), "dir/a");
}

TEST_F(TreeCopyTest, FollowedLinkKeepsItsOwnName) {
  from_.file("versions/1.2").link("current", "versions/1.2");
  copy("/current", {.dest = "/d/"});
  EXPECT_THAT(names(), ElementsAre("d/", "d/current"));
}

TEST_F(TreeCopyTest, LinkThatTheDestinationNamesIsFollowed) {
  from_.file("a", "new").file("d/f");
  to_.file("file", "old").link("name", "file").link("dangling", "/made/here").link("nowhere", "made/dir");
  copy("/a", {.dest = "/name"});
  copy("/a", {.dest = "/dangling"});
  copy("/d", {.dest = "/nowhere"});
  EXPECT_EQ(text("file"), "new");
  EXPECT_EQ(text("made/here"), "new");
  EXPECT_TRUE(std::filesystem::exists(to_.at("made/dir/f")));
  EXPECT_TRUE(std::filesystem::is_symlink(to_.at("name")));
}

TEST_F(TreeCopyTest, LinkInsideTheDestinationIsReplaced) {
  from_.file("a", "new").file("d/a", "new");
  to_.file("precious", "old").link("into/a", "../precious").link("x/a", "../precious");
  copy("/a", {.dest = "/into"});
  copy("/d", {.dest = "/x"});
  EXPECT_EQ(text("precious"), "old");
  EXPECT_FALSE(std::filesystem::is_symlink(to_.at("into/a")));
  EXPECT_FALSE(std::filesystem::is_symlink(to_.at("x/a")));
}

TEST_F(TreeCopyTest, LinksOfTheTargetStayInTheTarget) {
  const std::filesystem::path outside = directory_.path() / "outside";
  std::filesystem::create_directory(outside);
  from_.file("a").file("d/b");
  to_.link("abs", outside).link("up", "../outside").link("dir/abs", outside);
  copy("/a", {.dest = "/abs/x"});
  copy("/a", {.dest = "/up/x"});
  copy("/d", {.dest = "/dir/abs"});
  EXPECT_THAT(names_in(outside), IsEmpty());
  EXPECT_TRUE(std::filesystem::exists(to_.at("outside/x")));
}

TEST_F(TreeCopyTest, DirectoryOverALinkToADirectoryIsRefused) {
  from_.file("root/lib/x");
  to_.directory("usr/lib").link("lib", "usr/lib");
  EXPECT_THROW(copy("/root", {.dest = "/"}), InvalidInput);
  copy("/root/lib", {.dest = "/lib"});
  EXPECT_THAT(names(), ElementsAre("lib", "usr/", "usr/lib/", "usr/lib/x"));
}

TEST_F(TreeCopyTest, DirectoryOverAFileIsRefused) {
  from_.file("d/sub/x");
  to_.file("d/sub");
  EXPECT_THROW(copy("/d", {.dest = "/d"}), InvalidInput);
  EXPECT_THROW(copy("/d", {.dest = "/d/sub"}), InvalidInput);
  EXPECT_THROW(copy("/d", {.dest = "/d/sub/below"}), InvalidInput);
}

TEST_F(TreeCopyTest, FileOverADirectoryIsRefused) {
  from_.file("d/name");
  to_.directory("d/name");
  EXPECT_THROW(copy("/d", {.dest = "/d"}), InvalidInput);
}

TEST_F(TreeCopyTest, HardLinksWithinTheSelectionAreKept) {
  from_.file("d/a", "bytes").hard_link("d/sub/b", "d/a");
  copy("/d", {.dest = "/x"});
  EXPECT_EQ(status("x/a").st_ino, status("x/sub/b").st_ino);
  EXPECT_NE(status("x/a").st_ino, 0U);
}

TEST_F(TreeCopyTest, HardLinksBetweenTwoSourcesAreNot) {
  from_.file("d/a", "bytes").hard_link("d/b", "d/a");
  copy("/d/*", {.dest = "/x/"});
  EXPECT_NE(status("x/a").st_ino, status("x/b").st_ino);
}

TEST_F(TreeCopyTest, ModeIsForFilesAndDirectories) {
  from_.directory("d/sub", 0700).file("d/a", "", 0600);
  copy("/d", {.dest = "/x", .mode = 0555});
  EXPECT_EQ(status("x").st_mode & 07777, 0555U);
  EXPECT_EQ(status("x/sub").st_mode & 07777, 0555U);
  EXPECT_EQ(status("x/a").st_mode & 07777, 0555U);
}

TEST_F(TreeCopyTest, ModeIsAlsoForDirectoriesOnTheWay) {
  from_.file("a").directory("d/sub");
  copy("/a", {.dest = "/p/q/a", .mode = 04700});
  copy("/d", {.dest = "/r", .mode = 01755});
  EXPECT_EQ(status("p").st_mode & 07777, 0700U) << "without the upper bits";
  EXPECT_EQ(status("p/q/a").st_mode & 07777, 04700U);
  EXPECT_EQ(status("r").st_mode & 07777, 0755U);
  EXPECT_EQ(status("r/sub").st_mode & 07777, 01755U);
}

TEST_F(TreeCopyTest, ModeChangeIsForEachFileAndNotForDirectoriesOnTheWay) {
  from_.file("d/plain", "", 0600)
      .file("d/program", "", 0700)
      .directory("d/sub", 0700)
      .link("d/link", "plain");
  const ModeChange change = ModeChange::parse("u=rwX,go=rX");
  copy("/d", {.dest = "/p/x", .mode_change = change});
  const ModeChange remove = ModeChange::parse("a-x");
  copy("/d", {.dest = "/q", .mode_change = remove});
  EXPECT_EQ(status("p/x/plain").st_mode & 07777, 0644U);
  EXPECT_EQ(status("p/x/program").st_mode & 07777, 0755U);
  EXPECT_EQ(status("p/x/sub").st_mode & 07777, 0755U);
  EXPECT_EQ(status("q").st_mode & 07777, 0755U);
  EXPECT_EQ(status("q/sub").st_mode & 07777, 0600U);
}

TEST_F(TreeCopyTest, OwnerIsForAllThatIsMade) {
  SLIPWAY_NEEDS_CHOWN();
  from_.file("d/a").link("d/l", "a").file("d/suid", "", 04755);
  copy("/d", {.dest = "/made/x", .uid = 12, .gid = 34});
  for (const char* path : {"made", "made/x", "made/x/a", "made/x/l"}) {
    EXPECT_EQ(status(path).st_uid, 12U) << path;
    EXPECT_EQ(status(path).st_gid, 34U) << path;
  }
  EXPECT_EQ(status("made/x/suid").st_mode & 07777, 04755U);
}

TEST_F(TreeCopyTest, SourceOwnersAreKept) {
  SLIPWAY_NEEDS_CHOWN();
  from_.file("a").owner("a", 77, 88);
  copy("/a", {.dest = "/a"});
  EXPECT_EQ(status("a").st_uid, 77U);
  EXPECT_EQ(status("a").st_gid, 88U);
}

TEST_F(TreeCopyTest, SpecialFilesAndAttributes) {
  from_.directory("d").fifo("d/pipe", 0620).socket("d/socket").file("d/a");
  const bool attributes = may_set_xattr("user.note");
  if (attributes) from_.xattr("d/a", "user.note", "hi");
  copy("/d", {.dest = "/x"});
  EXPECT_THAT(names(), ElementsAre("x/", "x/a", "x/pipe"));
  EXPECT_EQ(status("x/pipe").st_mode, S_IFIFO | 0620U);
  if (attributes) {
    EXPECT_THAT(describe_tree(to_.at("x")), Contains(HasSubstr("user.note=hi")));
  }
}

TEST_F(TreeCopyTest, IgnoredAndExcludedFilesStayBehind) {
  from_.file("d/keep.txt")
      .file("d/a.log")
      .file("d/sub/b.log")
      .file("d/sub/important.log")
      .file("d/empty/c.log");
  const PatternMatcher ignored({"**/a.log"}), excluded({"sub", "empty", "!sub/important.log"});
  copy_these({.src = "/d", .ignored = &ignored, .excluded = &excluded}, {.dest = "/x"});
  EXPECT_THAT(names(), ElementsAre("x/", "x/keep.txt", "x/sub/", "x/sub/important.log"));
}

TEST_F(TreeCopyTest, ExcludeIsAboutWhatIsInTheSourceNotTheSource) {
  from_.file("home.txt").file("homes/a.txt").file("homes/b.md").file("homes/sub/c.txt");
  const PatternMatcher excluded({"*.txt"});
  copy_these({.src = "/hom*", .excluded = &excluded}, {.dest = "/d/"});
  copy_these({.src = "/home.txt", .excluded = &excluded}, {.dest = "/e"});
  EXPECT_THAT(names(), ElementsAre("d/", "d/b.md", "d/home.txt", "d/sub/", "d/sub/c.txt", "e"));
}

TEST_F(TreeCopyTest, ExcludedDirectoryWithNothingIncludedAgainStaysBehind) {
  from_.file("d/sub/a").file("d/sub/b").directory("d/empty");
  const PatternMatcher contents({"sub/*"}), all({"*"});
  copy_these({.src = "/d", .excluded = &contents}, {.dest = "/x"});
  copy_these({.src = "/d", .excluded = &all}, {.dest = "/y"});
  EXPECT_THAT(names(), ElementsAre("x/", "x/empty/", "x/sub/", "y/"));
}

TEST_F(TreeCopyTest, IncludedFilesComeWithTheirDirectories) {
  from_.file("a/b/f").file("a/b/g").file("a/c/g").file("other/f").directory("a/b", 0710).directory("a", 0701);
  from_.mtime("a/b", 3000).mtime("a", 4000);
  const PatternMatcher included({"a/**/f", "none"});
  copy_these({.src = "/", .included = &included}, {.dest = "/x/"});
  EXPECT_THAT(names(), ElementsAre("x/", "x/a/", "x/a/b/", "x/a/b/f"));
  EXPECT_EQ(status("x/a").st_mode & 07777, 0701U);
  EXPECT_EQ(status("x/a/b").st_mode & 07777, 0710U);
  EXPECT_EQ(status("x/a/b").st_mtim.tv_sec, 3000);
}

TEST_F(TreeCopyTest, IncludedDirectoryComesWhole) {
  from_.file("p/a/f").directory("p/a/empty").file("p/b/f").link("p/l", "a");
  const PatternMatcher included({"a", "l"}), wild({"*/e*"});
  copy_these({.src = "/p", .included = &included}, {.dest = "/x"});
  copy_these({.src = "/p", .included = &wild}, {.dest = "/y"});
  EXPECT_THAT(names(), ElementsAre("x/", "x/a/", "x/a/empty/", "x/a/f", "x/l", "y/", "y/a/", "y/a/empty/"));
}

TEST_F(TreeCopyTest, NothingIncludedStillMakesTheDestination) {
  from_.file("a/f");
  const PatternMatcher included({"a/none*"});
  copy_these({.src = "/", .included = &included}, {.dest = "/x/"});
  EXPECT_THAT(names(), ElementsAre("x/"));
}

TEST_F(TreeCopyTest, DirectoryOnTheWayThatWasThereTakesOnlyTheSourcesMode) {
  SLIPWAY_NEEDS_CHOWN();
  from_.file("a/f", "", 0600).directory("a", 0711).owner("a", 8, 8);
  to_.directory("x/a", 0777).owner("x/a", 5, 6);
  const PatternMatcher included({"a/f"});
  copy_these({.src = "/", .included = &included}, {.dest = "/x/", .uid = 7, .gid = 7, .mode = 0640});
  EXPECT_EQ(status("x/a").st_mode & 07777, 0711U);
  EXPECT_EQ(status("x/a").st_uid, 5U);
  EXPECT_EQ(status("x/a/f").st_mode & 07777, 0640U);
  EXPECT_EQ(status("x/a/f").st_uid, 7U);
}

TEST_F(TreeCopyTest, ExcludeWinsOverInclude) {
  from_.file("a/f").file("a/no").file("b/no");
  const PatternMatcher included({"**"}), excluded({"**/no"});
  copy_these({.src = "/", .included = &included, .excluded = &excluded}, {.dest = "/x/"});
  EXPECT_THAT(names(), ElementsAre("x/", "x/a/", "x/a/f", "x/b/"));
}

TEST_F(TreeCopyTest, NameOfADeletionIsRefused) {
  from_.file("d/.wh.gone").file("d/.whole");
  try {
    copy("/d", {.dest = "/x"});
    FAIL();
  } catch (const InvalidInput& error) {
    EXPECT_THAT(error.what(), HasSubstr("/x/.wh.gone"));
  }
}

TEST_F(TreeCopyTest, MissingParentsAreMadeOnlyIfAllowed) {
  from_.file("a");
  EXPECT_THROW(copy("/a", {.dest = "/no/such", .create_dest_path = false}), InvalidInput);
  copy("/a", {.dest = "/no/such"});
  EXPECT_EQ(status("no").st_mode & 07777, 0755U);
}

TEST_F(TreeCopyTest, MadeParentsGetTheGivenTime) {
  from_.file("a");
  to_.directory("there").mtime("there", 7);
  copy("/a", {.dest = "/there/x/y/", .made_mtime = 500});
  EXPECT_EQ(status("there/x").st_mtim.tv_sec, 500);
  EXPECT_EQ(status("there/x/y").st_mtim.tv_sec, 500);
  EXPECT_NE(status("there").st_mtim.tv_sec, 500);
}

TEST_F(TreeCopyTest, NothingSelectedIsAnError) {
  EXPECT_THROW(copy("/none", {.dest = "/x"}), NotFound);
  EXPECT_THAT(names(), IsEmpty());
}

TEST_F(TreeCopyTest, StopsWhenAsked) {
  from_.file("d/a");
  const RootedDir source(source_directory_), target(target_directory_);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THROW(copy_selection({.tree = &source, .src = "/d"}, target, {.dest = "/x"}, stop.get_token()),
               Cancelled);
}

TEST_F(TreeCopyTest, LargeFileIsCopiedWhole) {
  std::string bytes(3'000'001, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>((i * 2654435761U) >> 13);
  from_.file("big", bytes);
  copy("/big", {.dest = "/big"});
  EXPECT_EQ(Digest::of(text("big")), Digest::of(bytes));
}

TEST_F(TreeCopyTest, CopyAndDigestAgreeOnWhatIsSelected) {
  from_.file("d/a", "1").file("d/b.log", "2").hard_link("d/c", "d/a").link("d/l", "a").directory("d/e", 0700);
  const PatternMatcher ignored({"**/*.log"});
  copy_these({.src = "/d", .ignored = &ignored}, {.dest = "/d"});
  const RootedDir source(source_directory_), target(target_directory_);
  EXPECT_EQ(digest_selection({.tree = &source, .src = "/d", .ignored = &ignored}, false, nullptr, {}),
            digest_selection({.tree = &target, .src = "/d"}, false, nullptr, {}));
}

}  // namespace
}  // namespace slipway::testing_support
