#include "history/history_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/files.h"

namespace slipway {
namespace {

using testing::ElementsAre;

class HistoryDirectoryTest : public testing::Test {
 protected:
  void add(const std::string& id, std::int64_t started_ms, const std::string& outcome = "succeeded") {
    history_.write({.id = id, .started_ms = started_ms, .outcome = outcome});
  }
  std::vector<std::string> ids() {
    std::vector<std::string> found;
    for (const auto& entry : history_.entries()) found.push_back(entry.id);
    return found;
  }
  TempDir root_;
  HistoryDirectory history_{root_.path()};
};

TEST_F(HistoryDirectoryTest, ListsTheNewestFirst) {
  EXPECT_TRUE(ids().empty());
  add("aaaa", 1000);
  add("bbbb", 2000);
  EXPECT_THAT(ids(), ElementsAre("bbbb", "aaaa"));
}

TEST_F(HistoryDirectoryTest, FindsBuildsByAgeAndByTheBeginningOfTheirId) {
  add("aaaa", 1000);
  add("abbb", 2000);
  EXPECT_EQ(history_.find("").id, "abbb");
  EXPECT_EQ(history_.find("^1").id, "aaaa");
  EXPECT_EQ(history_.find("aa").id, "aaaa");
  EXPECT_THROW(history_.find("a"), UsageError);
  EXPECT_THROW(history_.find("c"), NotFound);
  EXPECT_THROW(history_.find("^2"), NotFound);
}

TEST_F(HistoryDirectoryTest, ABuildThatDiedIsInterruptedAndOneThatRunsIsNot) {
  add("aaaa", 1000, kRunning);
  UniqueFd lock = history_.claim({.id = "aaaa", .started_ms = 1000});
  EXPECT_EQ(history_.read(history_.find("")).outcome, kRunning);
  EXPECT_THROW(history_.remove(history_.find("")), UsageError);
  lock.reset();
  EXPECT_EQ(history_.read(history_.find("")).outcome, kInterrupted);
}

TEST_F(HistoryDirectoryTest, KeepsTheLastFifty) {
  for (int i = 0; i < 53; ++i) add(std::to_string(i), 1000 + i);
  history_.prune();
  EXPECT_EQ(ids().size(), HistoryDirectory::kKept);
  EXPECT_EQ(ids().back(), "3");
}

TEST_F(HistoryDirectoryTest, ManifestsGoWithTheLastBuildThatUsedThem) {
  add("aaaa", 1000);
  history_.keep_manifest("m", [] { return "text"; });
  history_.keep_manifest("m", []() -> std::string { throw std::logic_error("it is there"); });
  EXPECT_EQ(history_.manifest("m"), "text");
  constexpr std::int64_t kLongAfter = 100'000'000'000'000;
  add("bbbb", kLongAfter);
  history_.remove(history_.find("aaaa"));
  EXPECT_EQ(history_.manifest("m"), std::nullopt);
}

TEST_F(HistoryDirectoryTest, RemovesLogsOnlyFromAmongTheLogs) {
  std::filesystem::create_directories(root_.path() / "logs/build-1");
  history_.write({.id = "aaaa", .started_ms = 1, .outcome = "failed", .logs = "build-1"});
  history_.write({.id = "bbbb", .started_ms = 2, .outcome = "failed", .logs = ".."});
  history_.remove(history_.find("bbbb"));
  EXPECT_TRUE(std::filesystem::exists(root_.path() / "logs/build-1"));
  history_.remove(history_.find("aaaa"));
  EXPECT_FALSE(std::filesystem::exists(root_.path() / "logs/build-1"));
}

TEST_F(HistoryDirectoryTest, OnlyTheOwnerMayRead) {
  add("aaaa", 1000);
  struct stat status {};
  ASSERT_EQ(::stat((root_.path() / "history").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  ASSERT_EQ(::stat((root_.path() / "history/1000-aaaa.json").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(HistoryDirectoryTest, WhatIsNoRecordIsLeftOutAndNamed) {
  add("aaaa", 1000);
  write_file_atomic(root_.path() / "history/2000-bbbb.json", "{");
  std::vector<std::string> said;
  EXPECT_EQ(history_.read_all(nullptr, [&](const std::string& line) { said.push_back(line); }).size(), 1u);
  EXPECT_THAT(said, ElementsAre(testing::HasSubstr("history/2000-bbbb.json: no build record")));
}

TEST_F(HistoryDirectoryTest, AFifoInThePlaceOfARecordIsNotWaitedFor) {
  add("aaaa", 1000, kRunning);
  for (const char* name : {"2000-bbbb.json", "1000-aaaa.lock"})
    ASSERT_EQ(::mkfifo((root_.path() / "history" / name).c_str(), 0600), 0);
  std::vector<std::string> said;
  const auto read = history_.read_all(nullptr, [&](const std::string& line) { said.push_back(line); });
  ASSERT_EQ(read.size(), 1u);
  EXPECT_EQ(read[0].outcome, kInterrupted);
  EXPECT_THAT(said, ElementsAre(testing::HasSubstr("2000-bbbb.json is no regular file")));
  history_.remove(history_.find("bbbb"));
  EXPECT_THAT(ids(), ElementsAre("aaaa"));
}

}  // namespace
}  // namespace slipway
