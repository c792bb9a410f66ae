#include <gtest/gtest.h>

#include "content/database.h"
#include "content/store_fixture.h"

namespace slipway {
namespace {

using Identity = FileDigests::Identity;

class FileDigestsTest : public testing_support::StoreTest {
 protected:
  static constexpr Identity kFile{.device = 1, .inode = 2, .size = 3, .mtime_ns = 4, .ctime_ns = 5};
  const Digest digest_ = Digest::of("bytes");
};

TEST_F(FileDigestsTest, KnownBeforeAndAfterFlushAndInTheNextProcess) {
  {
    const auto store = open();
    EXPECT_EQ(store->file_digests().find(kFile), std::nullopt);
    store->file_digests().remember(kFile, digest_);
    EXPECT_EQ(store->file_digests().find(kFile), digest_);
    store->file_digests().flush();
    EXPECT_EQ(store->file_digests().find(kFile), digest_);
  }
  EXPECT_EQ(open()->file_digests().find(kFile), digest_);
}

TEST_F(FileDigestsTest, WithoutFlushNothingIsKept) {
  open()->file_digests().remember(kFile, digest_);
  EXPECT_EQ(open()->file_digests().find(kFile), std::nullopt);
}

struct ChangeCase {
  const char* name;
  Identity changed;
};
class FileDigestsChange : public FileDigestsTest, public testing::WithParamInterface<ChangeCase> {};

TEST_P(FileDigestsChange, AnyChangeOfIdentityIsAnotherFile) {
  const auto store = open();
  store->file_digests().remember(kFile, digest_);
  EXPECT_EQ(store->file_digests().find(GetParam().changed), std::nullopt);
  store->file_digests().flush();
  EXPECT_EQ(store->file_digests().find(GetParam().changed), std::nullopt);
}
INSTANTIATE_TEST_SUITE_P(Fields, FileDigestsChange,
                         testing::Values(ChangeCase{"device", {9, 2, 3, 4, 5}},
                                         ChangeCase{"inode", {1, 9, 3, 4, 5}},
                                         ChangeCase{"size", {1, 2, 9, 4, 5}},
                                         ChangeCase{"mtime", {1, 2, 3, 9, 5}},
                                         ChangeCase{"ctime", {1, 2, 3, 4, 9}}),
                         [](const auto& row) { return row.param.name; });

TEST_F(FileDigestsTest, NumbersBeyondTheSignedRangeAreKept) {
  const Identity huge{
      .device = ~0ULL, .inode = ~0ULL - 1, .size = 1ULL << 63, .mtime_ns = -1, .ctime_ns = -2};
  const auto store = open();
  store->file_digests().remember(huge, digest_);
  store->file_digests().flush();
  EXPECT_EQ(store->file_digests().find(huge), digest_);
}

TEST_F(FileDigestsTest, TheOldestGoWhenThereAreTooMany) {
  const auto store = open();
  const auto row = [&](std::uint64_t inode) {
    return Database::FileDigestRow{
        .device = 1, .inode = inode, .size = 0, .mtime_ns = 0, .ctime_ns = 0, .digest = digest_};
  };
  const auto known = [&](std::uint64_t inode) {
    return !store->database().file_digests(1, inode, inode).empty();
  };
  store->database().put_file_digests({row(1), row(2), row(3)}, 3);
  store->database().put_file_digests({row(1)}, 3);  // young again
  store->database().put_file_digests({row(4)}, 3);

  EXPECT_FALSE(known(2));
  EXPECT_TRUE(known(1) && known(3) && known(4));
}

}  // namespace
}  // namespace slipway
