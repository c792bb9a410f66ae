#include "base/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/error.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

TEST(Files, AtomicWriteLeavesNoTempFile) {
  const TempDir dir;
  write_file_atomic(dir.path() / "a", "one");
  write_file_atomic(dir.path() / "a", "two", Durability::Fsync);
  EXPECT_EQ(read_file(dir.path() / "a"), "two");
  EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()), 1);
}

TEST(Files, AtomicWriteIntoAMissingDirectoryNamesIt) {
  const TempDir dir;
  try {
    write_file_atomic(dir.path() / "no" / "a", "x");
    FAIL() << "should have thrown";
  } catch (const SystemError& e) {
    EXPECT_EQ(e.error_number(), ENOENT);
    EXPECT_NE(std::string(e.what()).find("/no/a"), std::string::npos) << e.what();
  }
}

TEST(Files, ReadingMoreThanTheLimitIsRefused) {
  const TempDir dir;
  write_file_atomic(dir.path() / "a", std::string(1000, 'x'));
  EXPECT_THROW(read_file(dir.path() / "a", 999), InvalidInput);
  EXPECT_EQ(read_file(dir.path() / "a", 1000).size(), 1000U);
}

TEST(Files, MissingFileIsNothingOrAnError) {
  const TempDir dir;
  EXPECT_EQ(read_file_if_exists(dir.path() / "a"), std::nullopt);
  EXPECT_EQ(read_file_if_exists(dir.path() / "a" / "b"), std::nullopt);
  EXPECT_THROW(read_file(dir.path() / "a"), SystemError);
}

TEST(Files, RemoveTreeTakesClosedDirectoriesAndKeepsLinkTargets) {
  const TempDir dir;
  fs::create_directories(dir.path() / "tree" / "closed" / "deep");
  write_file_atomic(dir.path() / "outside", "kept");
  fs::create_symlink(dir.path() / "outside", dir.path() / "tree" / "link");
  fs::create_directory_symlink(dir.path(), dir.path() / "tree" / "up");
  ASSERT_EQ(::chmod((dir.path() / "tree" / "closed").c_str(), 0), 0);
  remove_tree(dir.path() / "tree");
  EXPECT_FALSE(fs::exists(dir.path() / "tree"));
  EXPECT_EQ(read_file(dir.path() / "outside"), "kept");
}

TEST(RemoveTree, IsNotStoppedByATreeDeeperThanDescriptorsLast) {
  const TempDir dir;
  struct rlimit before {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  fs::create_directory(dir.path() / "tree");
  UniqueFd at = open_file(dir.path() / "tree", O_RDONLY | O_DIRECTORY);
  for (int i = 0; i < 800; ++i) {
    ASSERT_EQ(::mkdirat(at.get(), "d", 0700), 0);
    ASSERT_EQ(::mkdirat(at.get(), "e", 0700), 0);
    UniqueFd next = UniqueFd{::openat(at.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (i % 3 == 0) ::fchmod(at.get(), 0500);
    at = std::move(next);
  }
  at.reset();
  const struct rlimit few { .rlim_cur = 400, .rlim_max = before.rlim_max };
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  EXPECT_NO_THROW(remove_tree(dir.path() / "tree"));
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_FALSE(fs::exists(dir.path() / "tree"));
}

TEST(TempDir, IsGoneWithItsOwner) {
  fs::path path;
  {
    const TempDir dir;
    path = dir.path();
    write_file_atomic(path / "a", "x");
  }
  EXPECT_FALSE(fs::exists(path));
}

}  // namespace
}  // namespace slipway
