#include "accel/twin.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/files.h"

namespace slipway {
namespace {

FileIdentity identity_of(const std::filesystem::path& file) {
  struct stat status {};
  EXPECT_EQ(::stat(file.c_str(), &status), 0);
  return FileIdentity::of(status);
}

TEST(FileIdentity, ChangesWithWhatIsDoneToTheFileEvenIfItsTimesAreSetBack) {
  const TempDir directory;
  const std::filesystem::path file = directory.path() / "file";
  write_file_atomic(file, "one", Durability::None, 0755);
  const FileIdentity before = identity_of(file);
  EXPECT_EQ(before, identity_of(file));
  const struct timespec times[2] = {{1, 5}, {1, 5}};
  ASSERT_EQ(::utimensat(AT_FDCWD, file.c_str(), times, 0), 0);
  const FileIdentity after = identity_of(file);
  EXPECT_EQ(after.mtime_ns, 1'000'000'005);
  EXPECT_EQ(after.size, 3u);
  EXPECT_GE(after.ctime_ns, before.ctime_ns);
  EXPECT_NE(after, before);
}

}  // namespace
}  // namespace slipway
