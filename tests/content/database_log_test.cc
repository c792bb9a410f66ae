// What a process leaves of SQLite's write-ahead log when it is done with a store.
#include <gtest/gtest.h>

#include "content/database.h"
#include "content/store_fixture.h"

namespace slipway {
namespace {

class DatabaseLog : public testing_support::StoreTest {
 protected:
  std::filesystem::path log() const { return root() / "slipway.db-wal"; }
  std::size_t log_size() const {
    return std::filesystem::exists(log()) ? std::filesystem::file_size(log()) : 0;
  }
  /// What is known of three files, which lasts.
  static void put_rows(Store& store) {
    std::vector<Database::FileDigestRow> rows;
    for (std::uint64_t inode = 0; inode < 3; ++inode)
      rows.push_back({.device = 1,
                      .inode = inode,
                      .size = 0,
                      .mtime_ns = 0,
                      .ctime_ns = 0,
                      .digest = Digest::of("bytes")});
    store.database().put_file_digests(rows, 1000);
  }
  static std::size_t rows_in(Store& store) { return store.database().file_digests(1, 0, 10).size(); }
  /// A process that changes nothing that lasts.
  void use() { open()->blobs().has(Digest::of("bytes")); }
  void make_used_store() {
    put_rows(*open());
    use();
  }
};

TEST_F(DatabaseLog, IsLeftToTheNextProcessByOneThatChangedNothing) {
  make_used_store();
  EXPECT_GT(log_size(), 0u);

  const auto store = open();
  EXPECT_EQ(rows_in(*store), 3u);
  EXPECT_TRUE(store->check(true).empty());
}

TEST_F(DatabaseLog, IsMovedIntoTheDatabaseByOneThatChangedSomething) {
  make_used_store();
  put_rows(*open());
  EXPECT_EQ(log_size(), 0u);
}

TEST_F(DatabaseLog, IsMovedAlsoWhileOthersUseTheStore) {
  const auto other = open();
  put_rows(*open());
  std::filesystem::create_directories(directory_.path() / "copy");
  std::filesystem::copy_file(root() / "slipway.db", directory_.path() / "copy" / "slipway.db");

  Database alone(directory_.path() / "copy" / "slipway.db", "");
  EXPECT_EQ(alone.file_digests(1, 0, 10).size(), 3u);
}

TEST_F(DatabaseLog, DoesNotGrowFromProcessToProcess) {
  make_used_store();
  for (int turn = 0; turn < 200; ++turn) {
    use();
    ASSERT_LT(log_size(), std::size_t{1} << 20);
  }
}

TEST_F(DatabaseLog, MayBeLostByWhoChangedNothing) {
  make_used_store();
  std::filesystem::resize_file(log(), log_size() - 100);

  const auto store = open();
  EXPECT_EQ(rows_in(*store), 3u);
  EXPECT_TRUE(store->check(true).empty());
}

}  // namespace
}  // namespace slipway
