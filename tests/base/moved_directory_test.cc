#include "base/moved_directory.h"

#include <gtest/gtest.h>

#include "base/files.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

class MovedDirectory : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(own_);
    fs::create_directories(root_ / "in");
    write_file_atomic(own_ / "file", "kept");
    note_move(own_, root_, "/in/there");
  }
  void move() { fs::rename(own_, root_ / "in/there"); }
  bool is_back() const { return read_file_if_exists(own_ / "file") == "kept"; }
  bool is_noted() const { return fs::exists(own_.native() + ".moved"); }

  TempDir directory_;
  fs::path own_ = directory_.path() / "own", root_ = directory_.path() / "root";
};

TEST_F(MovedDirectory, ComesBackOnce) {
  move();
  EXPECT_TRUE(undo_move(own_));
  EXPECT_TRUE(is_back());
  EXPECT_FALSE(is_noted());
  EXPECT_FALSE(undo_move(own_));
}

TEST_F(MovedDirectory, IsLeftAloneIfItNeverWentOrCameBackBefore) {
  EXPECT_FALSE(undo_move(own_));
  EXPECT_TRUE(is_back());
  EXPECT_FALSE(is_noted());
}

TEST_F(MovedDirectory, AnotherOneAtItsPlaceIsNotTaken) {
  move();
  fs::rename(root_ / "in/there", root_ / "elsewhere");
  fs::create_directory(root_ / "in/there");
  EXPECT_FALSE(undo_move(own_));
  EXPECT_FALSE(fs::exists(own_));
  EXPECT_TRUE(fs::exists(root_ / "in/there"));
}

TEST_F(MovedDirectory, LinksOnTheWayDoNotLeadOut) {
  move();
  fs::create_directories(directory_.path() / "outside");
  fs::rename(root_ / "in/there", directory_.path() / "outside/there");
  fs::remove(root_ / "in");
  fs::create_directory_symlink("../outside", root_ / "in");
  EXPECT_FALSE(undo_move(own_));
  EXPECT_TRUE(fs::exists(directory_.path() / "outside/there/file"));
}

TEST_F(MovedDirectory, IsForgottenWithItsTree) {
  move();
  fs::remove_all(root_);
  EXPECT_FALSE(undo_move(own_));
  EXPECT_FALSE(is_noted());
}

TEST_F(MovedDirectory, ADamagedNoteBringsNothingBack) {
  move();
  write_file_atomic(own_.native() + ".moved", "1:2");
  EXPECT_FALSE(undo_move(own_));
  EXPECT_FALSE(is_noted());
}

}  // namespace
}  // namespace slipway
