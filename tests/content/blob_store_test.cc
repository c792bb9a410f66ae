#include "content/blob_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "content/store_fixture.h"

namespace slipway {
namespace {

using testing_support::entries_of;
using testing_support::test_space;

class BlobStoreTest : public testing::Test {
 protected:
  BlobStoreTest() {
    std::filesystem::create_directory(blobs_);
    std::filesystem::create_directory(temp_);
  }
  TempDir directory_{test_space(), "blobs"};
  std::filesystem::path blobs_ = directory_.path() / "blobs", temp_ = directory_.path() / "temp";
  BlobStore store_{blobs_, temp_};
};

TEST_F(BlobStoreTest, PiecesBecomeOneBlobUnderItsDigest) {
  BlobWriter writer = store_.create();
  writer.write("hel");
  writer.write("lo");
  const BlobInfo info = writer.commit(Digest::of("hello"));

  EXPECT_EQ(info.digest, Digest::of("hello"));
  EXPECT_EQ(info.size, 5u);
  EXPECT_EQ(store_.read(info.digest), "hello");
  EXPECT_EQ(store_.size(info.digest), 5u);
  EXPECT_THAT(store_.list(), testing::ElementsAre(info.digest));
  EXPECT_EQ(entries_of(temp_), 0u);
}

TEST_F(BlobStoreTest, WrongDigestLeavesNothing) {
  BlobWriter writer = store_.create();
  writer.write("hello");

  EXPECT_THROW(writer.commit(Digest::of("other")), IntegrityError);

  EXPECT_EQ(entries_of(blobs_), 0u);
  EXPECT_EQ(entries_of(temp_), 0u);
}

TEST_F(BlobStoreTest, AbandonedWriterLeavesNothing) {
  { store_.create().write("half"); }
  EXPECT_EQ(entries_of(blobs_), 0u);
  EXPECT_EQ(entries_of(temp_), 0u);
}

TEST_F(BlobStoreTest, OnlyADamagedBlobIsRemovedAsDamaged) {
  const Digest sound = store_.put("sound").digest, damaged = store_.put("damaged").digest;
  testing_support::write_text(store_.path_of(damaged), "DAMAGED");

  EXPECT_FALSE(store_.remove_if_damaged(sound));
  EXPECT_TRUE(store_.remove_if_damaged(damaged));
  EXPECT_FALSE(store_.remove_if_damaged(Digest::of("absent")));

  EXPECT_THAT(store_.list(), testing::ElementsAre(sound));
  EXPECT_EQ(entries_of(temp_), 0u);
}

TEST_F(BlobStoreTest, RestartForgetsWhatWasWritten) {
  BlobWriter writer = store_.create();
  writer.write("a longer false start");
  writer.restart();
  EXPECT_EQ(writer.written(), 0u);
  writer.write("good");
  EXPECT_EQ(store_.read(writer.commit(Digest::of("good")).digest), "good");
}

TEST_F(BlobStoreTest, AbsentBlobIsNotFound) {
  const Digest absent = Digest::of("absent");
  EXPECT_FALSE(store_.has(absent));
  EXPECT_EQ(store_.size(absent), std::nullopt);
  EXPECT_THROW(store_.open(absent), NotFound);
  EXPECT_THROW(store_.read(absent), NotFound);
  EXPECT_NO_THROW(store_.remove(absent));
}

TEST_F(BlobStoreTest, EmptyBlobIsABlob) {
  const BlobInfo info = store_.put("");
  EXPECT_EQ(info.size, 0u);
  EXPECT_EQ(store_.read(info.digest), "");
}

TEST_F(BlobStoreTest, ReadRefusesMoreThanItsLimit) {
  const BlobInfo info = store_.put("0123456789");
  EXPECT_THROW(store_.read(info.digest, 9), InvalidInput);
  EXPECT_EQ(store_.read(info.digest, 10), "0123456789");
}

TEST_F(BlobStoreTest, DamagedBlobIsNotHandedOutAndPutRepairsIt) {
  const BlobInfo info = store_.put("hello");
  testing_support::write_text(store_.path_of(info.digest), "hellO");
  EXPECT_THROW(store_.read(info.digest), IntegrityError);

  store_.put("hello");
  EXPECT_EQ(store_.read(info.digest), "hello");
}

TEST_F(BlobStoreTest, ManyWritersOfOneBlobAllSucceed) {
  const std::string bytes(100'000, 'x');
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i)
      threads.emplace_back([&] {
        BlobWriter writer = store_.create();
        writer.write(bytes);
        writer.commit(Digest::of(bytes));
      });
  }
  EXPECT_THAT(store_.list(), testing::ElementsAre(Digest::of(bytes)));
  EXPECT_EQ(store_.read(Digest::of(bytes)), bytes);
  EXPECT_EQ(entries_of(temp_), 0u);
}

TEST_F(BlobStoreTest, ListLeavesOutWhatIsNoBlob) {
  testing_support::write_text(blobs_ / "README", "");
  EXPECT_THAT(store_.list(), testing::IsEmpty());
}

TEST(BlobStore, FullDiskSaysHowMuchIsLeftAndWhere) {
  SLIPWAY_NEEDS_MOUNTS();
  const std::filesystem::path disk = testing_support::small_disk(1 << 20);
  BlobStore store(disk, disk);
  BlobWriter writer = store.create();
  const std::string block(256 << 10, 'x');
  try {
    for (int i = 0; i < 16; ++i) writer.write(block);
    FAIL() << "the disk took more than it has";
  } catch (const SystemError& e) {
    EXPECT_EQ(e.error_number(), ENOSPC);
    EXPECT_THAT(e.what(), testing::HasSubstr("left on the file system of " + disk.native()));
    EXPECT_THAT(e.hint(), testing::HasSubstr("--root"));
  }
}

}  // namespace
}  // namespace slipway
