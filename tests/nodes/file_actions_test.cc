#include "nodes/file_actions.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

class FileActions : public testing::Test {
 protected:
  FileActions() {
    fs::create_directories(dir_.path() / "target" / "etc");
    fs::create_directories(dir_.path() / "source" / "sub");
    write_file_atomic(dir_.path() / "source" / "a", "text");
    write_file_atomic(dir_.path() / "source" / "sub" / "b", "deep");
    write_file_atomic(dir_.path() / "target" / "etc" / "passwd",
                      "root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/home:/bin/sh\n");
    write_file_atomic(dir_.path() / "target" / "etc" / "group", "root:x:0:\nstaff:x:50:\n");
  }
  void apply(const std::vector<FileAction>& actions) {
    const RootedDir target(dir_.path() / "target");
    const RootedDir source(dir_.path() / "source");
    for (const FileAction& action : actions)
      apply_file_action(action, target, [&](int) { return SourceTree{.tree = &source}; }, logger_, {});
  }
  template <class E>
  std::string refusal(const FileAction& action) {
    try {
      apply({action});
    } catch (const E& error) {
      return error.what();
    }
    return "done";
  }
  std::string read(const fs::path& path) { return read_file(dir_.path() / "target" / path); }
  struct stat status(const fs::path& path) {
    struct stat result {};
    EXPECT_EQ(::lstat((dir_.path() / "target" / path).c_str(), &result), 0) << path;
    return result;
  }
  TempDir dir_;
  NullLogger logger_;
};

TEST_F(FileActions, CopiesAFileAndADirectorysContents) {
  apply({CopyAction{.base = 0, .from = 1, .src = "/a", .dest = "/new/dir/"},
         CopyAction{.base = 2, .from = 1, .src = "/sub", .dest = "/tree"}});
  EXPECT_EQ(read("new/dir/a"), "text");
  EXPECT_EQ(read("tree/b"), "deep");
}

TEST_F(FileActions, OwnersAreNamesOfTheTarget) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may give files away";
  apply({CopyAction{.base = 0, .from = 1, .src = "/a", .dest = "/a", .owner = Owner{"app", "staff"}},
         MkdirAction{.base = 2, .path = "/d/e", .mode = 0750, .owner = Owner{"app", ""}}});
  EXPECT_EQ(status("a").st_uid, 1000U);
  EXPECT_EQ(status("a").st_gid, 50U);
  EXPECT_EQ(status("d/e").st_gid, 1001U);
  EXPECT_EQ(status("d/e").st_mode & 07777U, 0750U);
}

TEST_F(FileActions, UnknownOwnerIsInvalidInput) {
  EXPECT_THROW(
      apply({CopyAction{.base = 0, .from = 1, .src = "/a", .dest = "/a", .owner = Owner{"nobody-here", ""}}}),
      InvalidInput);
}

TEST_F(FileActions, MissingSourceIsNotFound) {
  EXPECT_THROW(apply({CopyAction{.base = 0, .from = 1, .src = "/none", .dest = "/a"}}), NotFound);
}

TEST_F(FileActions, LinksInTheTargetLeadNowhereOutside) {
  fs::create_symlink("../../../outside", dir_.path() / "target" / "up");
  fs::create_directory(dir_.path() / "outside");
  apply({CopyAction{.base = 0, .from = 1, .src = "/a", .dest = "/ok"}});
  try {
    apply({CopyAction{.base = 0, .from = 1, .src = "/a", .dest = "/up/a"}});
  } catch (const Error&) {  // refused or kept inside: both are right
  }
  EXPECT_TRUE(fs::is_empty(dir_.path() / "outside"));
}

TEST_F(FileActions, MakesAndRemovesFiles) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may give files away";
  apply({MkfileAction{.base = 0, .path = "/f", .mode = 0600, .data = "x"}});
  EXPECT_EQ(read("f"), "x");
  EXPECT_EQ(status("f").st_mode & 07777U, 0600U);
  apply({RmAction{.base = 0, .path = "/f"}, RmAction{.base = 1, .path = "/f", .allow_not_found = true}});
  EXPECT_FALSE(fs::exists(dir_.path() / "target" / "f"));
  EXPECT_THROW(apply({RmAction{.base = 0, .path = "/f"}}), NotFound);
}

TEST_F(FileActions, FileThatIsThereKeepsItsModeAndLinksToItAreFollowed) {
  apply({MkfileAction{.path = "/old", .mode = 0600, .data = "longer than new"}});
  fs::create_symlink("old", dir_.path() / "target" / "link");
  fs::create_symlink("/made", dir_.path() / "target" / "dangling");
  apply({MkfileAction{.path = "/link", .mode = 04755, .data = "new"},
         MkfileAction{.path = "/dangling", .data = "x"}});
  EXPECT_EQ(read("old"), "new");
  EXPECT_EQ(status("old").st_mode & 07777U, 0600U);
  EXPECT_EQ(read("made"), "x");
}

TEST_F(FileActions, FifoInTheImageHoldsNobodyUp) {
  ASSERT_EQ(::mkfifo((dir_.path() / "target" / "pipe").c_str(), 0600), 0);
  EXPECT_THROW(apply({MkfileAction{.path = "/pipe", .data = "x"}}), SystemError);
}

TEST_F(FileActions, DirectoryThatIsThereStays) {
  apply({MkdirAction{.path = "/d", .mode = 01711, .make_parents = false}});
  EXPECT_EQ(status("d").st_mode & 07777U, 0711U);
  apply({MkdirAction{.path = "/d", .mode = 0700, .make_parents = false},
         MkdirAction{.path = "/d", .mode = 0700}});
  EXPECT_EQ(status("d").st_mode & 07777U, 0711U);
  EXPECT_THROW(apply({MkdirAction{.path = "/no/such", .make_parents = false}}), InvalidInput);
}

TEST_F(FileActions, DirectoryIsMadeWhereALinkLeads) {
  fs::create_symlink("made/here", dir_.path() / "target" / "link");
  apply({MkdirAction{.path = "/link/below"}});
  EXPECT_TRUE(fs::is_directory(dir_.path() / "target" / "made" / "here" / "below"));
  EXPECT_TRUE(fs::is_symlink(dir_.path() / "target" / "link"));
}

TEST_F(FileActions, RemovesByWildcardWhatIsInTheTreeOnly) {
  fs::create_directory(dir_.path() / "outside");
  write_file_atomic(dir_.path() / "outside" / "x1", "precious");
  fs::create_symlink("../outside", dir_.path() / "target" / "out");
  apply({MkdirAction{.path = "/d/x1/deep"}, MkfileAction{.path = "/d/x2"}, MkfileAction{.path = "/d/y"}});
  apply({RmAction{.path = "/d/x*", .allow_wildcard = true}, RmAction{.path = "/*/x1", .allow_wildcard = true},
         RmAction{.path = "/none*", .allow_wildcard = true}});
  EXPECT_FALSE(fs::exists(dir_.path() / "target" / "d" / "x1"));
  EXPECT_FALSE(fs::exists(dir_.path() / "target" / "d" / "x2"));
  EXPECT_TRUE(fs::exists(dir_.path() / "target" / "d" / "y"));
  EXPECT_EQ(read_file(dir_.path() / "outside" / "x1"), "precious");
}

TEST_F(FileActions, RemovedLinkIsNotFollowedAndTheRootStays) {
  fs::create_symlink("etc", dir_.path() / "target" / "link");
  apply({RmAction{.path = "/link"}});
  EXPECT_TRUE(fs::exists(dir_.path() / "target" / "etc" / "passwd"));
  EXPECT_THROW(apply({RmAction{.path = "/"}}), InvalidInput);
}

TEST_F(FileActions, ModeInSymbolsIsOfEachFile) {
  apply({CopyAction{.from = 1, .src = "/", .dest = "/x", .mode_change = "u=rwX,go="}});
  EXPECT_EQ(status("x/a").st_mode & 07777U, 0600U);
  EXPECT_EQ(status("x/sub").st_mode & 07777U, 0700U);
}

TEST_F(FileActions, IncludedFilesComeWithTheirDirectories) {
  apply({CopyAction{.from = 1, .src = "/", .dest = "/x/", .include = {"sub/b"}, .required = {"sub/b"}},
         CopyAction{.from = 1, .src = "/", .dest = "/y/", .include = {""}},
         CopyAction{.from = 1, .src = "/", .dest = "/z/", .exclude = {"sub"}}});
  EXPECT_EQ(read("x/sub/b"), "deep");
  EXPECT_FALSE(fs::exists(dir_.path() / "target" / "x" / "a"));
  EXPECT_TRUE(fs::is_empty(dir_.path() / "target" / "y"));
  EXPECT_FALSE(fs::exists(dir_.path() / "target" / "z" / "sub"));
  EXPECT_EQ(refusal<NotFound>(
                CopyAction{.from = 1, .src = "/", .dest = "/x/", .include = {"none"}, .required = {"none"}}),
            "\"/none\": not found");
}

TEST_F(FileActions, CopyFromNothingAsksForTheEmptyTree) {
  fs::create_directory(dir_.path() / "empty");
  const RootedDir target(dir_.path() / "target"), empty(dir_.path() / "empty");
  int asked = 0;
  apply_file_action(CopyAction{.base = 0, .from = kNoInput, .src = "/", .dest = "/d/"}, target,
                    [&](int input) {
                      asked = input;
                      return SourceTree{.tree = &empty};
                    },
                    logger_, {});
  EXPECT_EQ(asked, kNoInput);
}

TEST_F(FileActions, StopIsHeard) {
  std::stop_source stop;
  stop.request_stop();
  const RootedDir target(dir_.path() / "target");
  EXPECT_THROW(apply_file_action(
                   MkdirAction{.base = 0, .path = "/d"}, target, [](int) { return SourceTree{}; }, logger_,
                   stop.get_token()),
               Cancelled);
}

}  // namespace
}  // namespace slipway
