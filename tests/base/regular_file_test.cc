#include "base/regular_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/files.h"

namespace slipway {
namespace {

TEST(RegularFile, IsReadAndWritten) {
  const TempDir dir;
  write_all(open_regular_file(dir.path() / "a", O_WRONLY | O_CREAT, 0600).get(), "text", "a");
  EXPECT_EQ(read_regular_file(dir.path() / "a"), "text");
  EXPECT_EQ(read_regular_file_if_exists(dir.path() / "a"), "text");
  EXPECT_EQ(read_regular_file_if_exists(dir.path() / "b"), std::nullopt);
  EXPECT_THROW(read_regular_file(dir.path() / "b"), SystemError);
}

TEST(RegularFile, AFifoIsNeitherOneNorWaitedFor) {
  const TempDir dir;
  ASSERT_EQ(::mkfifo((dir.path() / "fifo").c_str(), 0600), 0);
  EXPECT_THROW(open_regular_file(dir.path() / "fifo", O_RDONLY), InvalidInput);
  EXPECT_THROW(open_regular_file(dir.path() / "fifo", O_WRONLY), InvalidInput);
  EXPECT_EQ(read_regular_file_if_exists(dir.path() / "fifo"), std::nullopt);
}

TEST(RegularFile, ADirectoryIsNone) {
  const TempDir dir;
  EXPECT_THROW(open_regular_file(dir.path(), O_RDONLY), InvalidInput);
  EXPECT_EQ(read_regular_file_if_exists(dir.path()), std::nullopt);
}

}  // namespace
}  // namespace slipway
