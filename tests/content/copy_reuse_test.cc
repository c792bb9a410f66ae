#include "content/copy_reuse.h"

#include <gmock/gmock.h>

#include "base/files.h"
#include "content/file_identity.h"
#include "content/store_fixture.h"

namespace slipway {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class CopyReuseTest : public testing_support::StoreTest {
 protected:
  /// A file that was last changed long ago.
  static struct stat file(std::uint64_t inode) {
    struct stat status {};
    status.st_ino = inode;
    status.st_mode = S_IFREG | 0644;
    return status;
  }
  void digest(const struct stat& file, const std::string& bytes) {
    store_->file_digests().remember(identity_of(file), Digest::of(bytes));
  }
  CopyReuse after(std::optional<CopiedFiles> earlier) {
    return {store_->file_digests(), std::move(earlier), "/earlier"};
  }
  /// What a copy of that file to "/a" leaves.
  CopiedFiles copy_of(const struct stat& file, const CopyReuse::Made& made) {
    CopyReuse first = after({});
    EXPECT_FALSE(first.take("/a", file, made));
    return first.finish().copied;
  }

  const std::unique_ptr<Store> store_ = open();
  const CopyReuse::Made made_{.mode = 0644, .uid = 1, .gid = 2, .mtime = {.tv_sec = 3, .tv_nsec = 4}};
};

TEST_F(CopyReuseTest, TakesTheSameBytesOfAnotherFile) {
  digest(file(1), "bytes");
  digest(file(2), "bytes");
  digest(file(3), "others");
  CopyReuse reuse = after(copy_of(file(1), made_));
  EXPECT_TRUE(reuse.take("/a", file(2), made_));
  EXPECT_FALSE(reuse.take("/b", file(2), made_)) << "the earlier copy has it elsewhere";
  EXPECT_FALSE(reuse.take("/a", file(3), made_));
  const ReusedFiles files = reuse.finish();
  EXPECT_EQ(files.from, "/earlier");
  EXPECT_THAT(files.paths, ElementsAre("/a"));
  EXPECT_EQ(files.copied.size(), 3U);
}

TEST_F(CopyReuseTest, TakesNothingThatWouldLookDifferent) {
  digest(file(1), "bytes");
  const CopiedFiles earlier = copy_of(file(1), made_);
  CopyReuse::Made mode = made_, uid = made_, gid = made_, seconds = made_, nanoseconds = made_;
  mode.mode = 0600;
  uid.uid = gid.gid = 9;
  seconds.mtime.tv_sec = nanoseconds.mtime.tv_nsec = 9;
  for (const CopyReuse::Made& other : {mode, uid, gid, seconds, nanoseconds})
    EXPECT_FALSE(after(earlier).take("/a", file(1), other));
}

TEST_F(CopyReuseTest, WhatWasNotDigestedOrHasJustChangedIsCopied) {
  digest(file(1), "bytes");
  const CopiedFiles earlier = copy_of(file(1), made_);
  EXPECT_FALSE(after(earlier).take("/a", file(2), made_));
  struct stat fresh = file(1);
  ::clock_gettime(CLOCK_REALTIME, &fresh.st_ctim);
  digest(fresh, "bytes");
  CopyReuse reuse = after(earlier);
  EXPECT_FALSE(reuse.take("/a", fresh, made_));
  EXPECT_EQ(reuse.finish().copied.size(), 0U) << "nobody knows what was copied";
}

TEST_F(CopyReuseTest, TheListOutlivesTheProcess) {
  digest(file(1), "bytes");
  const auto path = directory_.path() / "list";
  write_file_atomic(path, copy_of(file(1), made_).bytes());
  EXPECT_TRUE(after(CopiedFiles::read(path)).take("/a", file(1), made_));
}

TEST_F(CopyReuseTest, AListThatIsNoneCountsAsNone) {
  digest(file(1), "bytes");
  const std::string bytes = copy_of(file(1), made_).bytes();
  const auto path = directory_.path() / "list";
  EXPECT_FALSE(CopiedFiles::read(path));
  for (const std::string& damaged :
       {std::string(), bytes.substr(1), bytes.substr(0, bytes.size() - 1),
        bytes + std::string(16, '\0') + std::string(16, '\1') + std::string(16, '\0')}) {
    write_file_atomic(path, damaged);
    EXPECT_FALSE(CopiedFiles::read(path)) << damaged.size();
  }
}

}  // namespace
}  // namespace slipway
