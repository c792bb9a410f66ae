#include "base/rooted.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

class Rooted : public testing::Test {
 protected:
  Rooted() {
    fs::create_directories(dir_.path() / "root" / "etc");
    write_file_atomic(dir_.path() / "secret", "outside");
    write_file_atomic(dir_.path() / "root" / "etc" / "passwd", "inside");
  }
  TempDir dir_;
  RootedDir root_{(fs::create_directories(dir_.path() / "root"), dir_.path() / "root")};
};

TEST_F(Rooted, AbsoluteLinksStayInside) {
  fs::create_symlink("/etc/passwd", dir_.path() / "root" / "link");
  EXPECT_EQ(root_.read_file("link"), "inside");
  EXPECT_EQ(root_.read_file("/link"), "inside");
}

TEST_F(Rooted, DotDotStaysInside) {
  fs::create_symlink("../../../secret", dir_.path() / "root" / "up");
  EXPECT_EQ(root_.read_file("up"), std::nullopt);
  EXPECT_EQ(root_.read_file("../../secret"), std::nullopt);
  EXPECT_EQ(root_.read_file("../../etc/passwd"), "inside");
}

TEST_F(Rooted, StatTellsTheLinkFromItsTarget) {
  fs::create_symlink("/etc", dir_.path() / "root" / "link");
  EXPECT_TRUE(S_ISLNK(root_.stat("link", false)->st_mode));
  EXPECT_TRUE(S_ISDIR(root_.stat("link", true)->st_mode));
  EXPECT_FALSE(root_.stat("missing", true).has_value());
}

TEST_F(Rooted, MakeDirectoriesFollowsLinksInsideOnly) {
  fs::create_symlink("/etc", dir_.path() / "root" / "link");
  root_.make_directories("/link/a/b", {.mode = 0750});
  EXPECT_TRUE(fs::is_directory(dir_.path() / "root" / "etc" / "a" / "b"));
  EXPECT_EQ(root_.stat("etc/a", false)->st_mode & 07777U, 0750U);
}

TEST_F(Rooted, MakeDirectoriesRefusesAFileInTheWay) {
  EXPECT_THROW(root_.make_directories("etc/passwd/x", {}), SystemError);
}

TEST_F(Rooted, ParentOfAPathIsOpened) {
  const RootedDir::Parent parent = root_.open_parent("/etc/new/");
  EXPECT_EQ(parent.name, "new");
  EXPECT_EQ(root_.open_parent("/").name, ".");
  EXPECT_THROW(root_.open_parent("/etc/.."), InvalidInput);
}

}  // namespace
}  // namespace slipway
