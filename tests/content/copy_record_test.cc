#include "content/copy_record.h"

#include <gtest/gtest.h>

#include "base/files.h"
#include "content/file_identity.h"
#include "content/tree_support.h"

namespace slipway::testing_support {
namespace {

namespace fs = std::filesystem;

/// A context of which one moment is listed, another copied, and a third is there afterwards.
class CopyRecordTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(dir_.path() / "to");
    from_.file("a", "A").file("d/b", "B").link("l", "a").file("e/c", "C");
    // Long enough ago for the clock to have gone on.
    for (const std::int64_t written = file_clock_ns(); file_clock_ns() == written;) {
    }
  }
  void list() { before_ = listed(); }
  void copy(const CopyOptions& options = {.dest = "/"}) {
    const RootedDir from(dir_.path() / "from");
    selection_.tree = &from;
    copy_selection(selection_, to_, options, {}, [&](const TakenEntry& taken) { record_.add(taken); });
  }
  bool is_of_the_list() { return record_.is_of(*before_, *listed(), to_, {}); }

  std::shared_ptr<const SelectionList> listed() {
    const RootedDir from(dir_.path() / "from");
    selection_.tree = &from;
    return list_selection(selection_, /*of_context=*/true, nullptr, {});
  }

  TempDir dir_;
  TreeMaker from_{dir_.path() / "from"};
  RootedDir to_{(fs::create_directories(dir_.path() / "to"), dir_.path() / "to")};
  Selection selection_{.src = "/"};
  CopyRecord record_;
  std::shared_ptr<const SelectionList> before_;
};

TEST_F(CopyRecordTest, WhatNobodyTouchedIsWhatWasListed) {
  list();
  copy();
  EXPECT_TRUE(is_of_the_list());
}

TEST_F(CopyRecordTest, AFileThatWasAnotherOnlyWhileItWasCopiedIsSeen) {
  list();
  from_.file("d/b", "X");
  copy();
  from_.file("d/b", "B");
  EXPECT_EQ(listed()->digest, before_->digest);
  EXPECT_FALSE(is_of_the_list());
}

TEST_F(CopyRecordTest, AFileThatWasReplacedOnlyWhileItWasCopiedIsSeen) {
  list();
  fs::rename(from_.at("a"), from_.at("../kept"));
  from_.file("a", "X");
  copy();
  fs::rename(from_.at("../kept"), from_.at("a"));
  EXPECT_FALSE(is_of_the_list());
}

TEST_F(CopyRecordTest, ALinkThatLedElsewhereOnlyWhileItWasCopiedIsSeen) {
  list();
  fs::remove(from_.at("l"));
  from_.link("l", "b");
  copy();
  fs::remove(from_.at("l"));
  from_.link("l", "a");
  EXPECT_FALSE(is_of_the_list());
}

TEST_F(CopyRecordTest, AFileThatWasThereOnlyWhileItWasCopiedIsSeen) {
  selection_.src = "/*/*";  // what holds it is not listed
  list();
  from_.file("e/more");
  copy({.dest = "/in/"});
  fs::remove(from_.at("e/more"));
  EXPECT_FALSE(is_of_the_list());
}

TEST_F(CopyRecordTest, ADirectoryThatALinkLedToOnlyWhileItWasCopiedIsSeen) {
  from_.file("other/b", "X").link("current", "d");
  selection_.src = "/current";
  list();
  fs::remove(from_.at("current"));
  from_.link("current", "other");
  copy();
  fs::remove(from_.at("current"));
  from_.link("current", "d");
  EXPECT_FALSE(is_of_the_list());
}

TEST_F(CopyRecordTest, WhatWasWrittenAnewWithItsBytesIsReadAgainAndIsWhatWasListed) {
  from_.hard_link("second", "a");
  list();
  from_.file("a", "A").mtime("d/b", 1000000000);
  copy();
  from_.file("e/c", "C");
  fs::remove(from_.at("l"));
  from_.link("l", "a");
  EXPECT_TRUE(is_of_the_list());
}

TEST_F(CopyRecordTest, ASecondNameThatWasAnotherFileOnlyWhileItWasCopiedIsSeen) {
  from_.hard_link("second", "a");
  list();
  fs::rename(from_.at("second"), from_.at("../kept"));
  from_.file("second", "X");
  copy();
  fs::rename(from_.at("../kept"), from_.at("second"));
  EXPECT_EQ(listed()->digest, before_->digest);
  EXPECT_FALSE(is_of_the_list());
}

TEST_F(CopyRecordTest, ASecondNameWhoseFileHadOtherBytesOnlyWhileItWasCopiedIsSeen) {
  from_.hard_link("second", "a");
  list();
  from_.file("a", "X");
  copy();
  from_.file("a", "A");
  EXPECT_EQ(listed()->digest, before_->digest);
  EXPECT_FALSE(is_of_the_list());
}

TEST_F(CopyRecordTest, FilesThatWereOneOnlyWhileTheyWereCopiedAreSeen) {
  from_.file("second", "A");
  list();
  fs::rename(from_.at("second"), from_.at("../kept"));
  from_.hard_link("second", "a");
  copy();
  fs::rename(from_.at("../kept"), from_.at("second"));
  EXPECT_EQ(listed()->digest, before_->digest);
  EXPECT_FALSE(is_of_the_list());
}

TEST_F(CopyRecordTest, WhatALaterSourceReplacedIsNotLookedForThere) {
  from_.file("d/conf", "first").file("e/conf", "second");
  selection_.src = "/*/conf";
  list();
  from_.file("d/conf", "first");
  copy({.dest = "/etc/"});
  EXPECT_TRUE(is_of_the_list());
  from_.file("e/conf", "second");
  EXPECT_TRUE(is_of_the_list());
  write_file_atomic(dir_.path() / "to/etc/conf", "X");
  EXPECT_FALSE(is_of_the_list());
}

TEST_F(CopyRecordTest, WhatWasWrittenInTheSameTickOfTheClockIsReadAgain) {
  list();
  SelectionList earlier = *before_;
  earlier.began_ns = 0;  // as if nothing could be older
  before_ = std::make_shared<const SelectionList>(earlier);
  copy();
  EXPECT_TRUE(is_of_the_list());
  write_file_atomic(dir_.path() / "to/d/b", "X");  // stands for a copy of what the file was for a moment
  EXPECT_FALSE(is_of_the_list());
}

TEST_F(CopyRecordTest, AnUnpackedArchiveMustNotHaveBeenTouched) {
  from_.file("in.tar", tar_of({file_entry("file")}));
  selection_.src = "/in.tar";
  list();
  copy({.dest = "/x/", .attempt_unpack = true});
  EXPECT_TRUE(is_of_the_list());
  from_.mtime("in.tar", 1000000000);
  EXPECT_FALSE(is_of_the_list());
}

TEST(FileIdentity, MayChangeUnseenOnlyWithinATickOfTheClock) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  FileDigests::Identity identity{.ctime_ns = 100 * kSecond + 1};
  EXPECT_TRUE(may_change_unseen(identity, 100 * kSecond + 1));
  EXPECT_FALSE(may_change_unseen(identity, 100 * kSecond + 2));
  identity.ctime_ns = 100 * kSecond;  // a file system that knows seconds only
  EXPECT_TRUE(may_change_unseen(identity, 102 * kSecond));
  EXPECT_FALSE(may_change_unseen(identity, 102 * kSecond + 1));
}

}  // namespace
}  // namespace slipway::testing_support
