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
  void apply(FileOp op, std::size_t inputs = 2) {
    const RootedDir target(dir_.path() / "target");
    const RootedDir source(dir_.path() / "source");
    apply_file_op(op, inputs, target, [&](int) { return SourceTree{.tree = &source}; }, {});
  }
  std::string read(const fs::path& path) { return read_file(dir_.path() / "target" / path); }
  struct stat status(const fs::path& path) {
    struct stat result {};
    EXPECT_EQ(::lstat((dir_.path() / "target" / path).c_str(), &result), 0) << path;
    return result;
  }
  TempDir dir_;
};

TEST_F(FileActions, CopiesAFileAndADirectorysContents) {
  apply({{CopyAction{.base = 0, .from = 1, .src = "/a", .dest = "/new/dir/"},
          CopyAction{.base = 2, .from = 1, .src = "/sub", .dest = "/tree"}}});
  EXPECT_EQ(read("new/dir/a"), "text");
  EXPECT_EQ(read("tree/b"), "deep");
}

TEST_F(FileActions, OwnersAreNamesOfTheTarget) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may give files away";
  apply({{CopyAction{.base = 0, .from = 1, .src = "/a", .dest = "/a", .owner = Owner{"app", "staff"}},
          MkdirAction{.base = 2, .path = "/d/e", .mode = 0750, .owner = Owner{"app", ""}}}});
  EXPECT_EQ(status("a").st_uid, 1000U);
  EXPECT_EQ(status("a").st_gid, 50U);
  EXPECT_EQ(status("d/e").st_gid, 1001U);
  EXPECT_EQ(status("d/e").st_mode & 07777U, 0750U);
}

TEST_F(FileActions, UnknownOwnerIsInvalidInput) {
  EXPECT_THROW(apply({{CopyAction{
                   .base = 0, .from = 1, .src = "/a", .dest = "/a", .owner = Owner{"nobody-here", ""}}}}),
               InvalidInput);
}

TEST_F(FileActions, MissingSourceIsNotFound) {
  EXPECT_THROW(apply({{CopyAction{.base = 0, .from = 1, .src = "/none", .dest = "/a"}}}), NotFound);
}

TEST_F(FileActions, LinksInTheTargetLeadNowhereOutside) {
  fs::create_symlink("../../../outside", dir_.path() / "target" / "up");
  fs::create_directory(dir_.path() / "outside");
  apply({{CopyAction{.base = 0, .from = 1, .src = "/a", .dest = "/ok"}}});
  try {
    apply({{CopyAction{.base = 0, .from = 1, .src = "/a", .dest = "/up/a"}}});
  } catch (const Error&) {  // refused or kept inside: both are right
  }
  EXPECT_TRUE(fs::is_empty(dir_.path() / "outside"));
}

TEST_F(FileActions, MakesAndRemovesFiles) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may give files away";
  apply({{MkfileAction{.base = 0, .path = "/f", .mode = 0600, .data = "x"}}}, 1);
  EXPECT_EQ(read("f"), "x");
  EXPECT_EQ(status("f").st_mode & 07777U, 0600U);
  apply({{RmAction{.base = 0, .path = "/f"}, RmAction{.base = 1, .path = "/f", .allow_not_found = true}}}, 1);
  EXPECT_FALSE(fs::exists(dir_.path() / "target" / "f"));
  EXPECT_THROW(apply({{RmAction{.base = 0, .path = "/f"}}}, 1), NotFound);
}

TEST_F(FileActions, CopyFromNothingAsksForTheEmptyTree) {
  fs::create_directory(dir_.path() / "empty");
  const RootedDir target(dir_.path() / "target"), empty(dir_.path() / "empty");
  int asked = 0;
  apply_file_op({{CopyAction{.base = 0, .from = kNoInput, .src = "/", .dest = "/d/"}}}, 1, target,
                [&](int input) {
                  asked = input;
                  return SourceTree{.tree = &empty};
                },
                {});
  EXPECT_EQ(asked, kNoInput);
}

TEST_F(FileActions, CopyFromAnEarlierActionIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may give files away";
  EXPECT_THROW(apply({{MkdirAction{.base = 0, .path = "/d"},
                       CopyAction{.base = 2, .from = 2, .src = "/d", .dest = "/e"}}}),
               InvalidInput);
}

TEST_F(FileActions, StopIsHeardBetweenActions) {
  std::stop_source stop;
  stop.request_stop();
  const RootedDir target(dir_.path() / "target");
  EXPECT_THROW(apply_file_op(
                   {{MkdirAction{.base = 0, .path = "/d"}}}, 1, target, [](int) { return SourceTree{}; },
                   stop.get_token()),
               Cancelled);
}

}  // namespace
}  // namespace slipway
