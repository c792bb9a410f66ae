#include "slipway/step_logs.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <thread>

#include "base/files.h"
#include "base/strings.h"
#include "base/synchronized.h"
#include "tools/event_script.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class WarningCollector final : public ProgressSink {
 public:
  void on_event(const Event& event) noexcept override {
    if (const auto* warned = std::get_if<Warned>(&event.what)) warnings.lock()->push_back(warned->message);
  }
  Synchronized<std::vector<std::string>> warnings;
};

class StepLogsTest : public testing::Test {
 protected:
  StepLogs make(std::size_t tail_lines = 20) { return StepLogs({directory, tail_lines}, warnings); }
  TempDir temp;
  fs::path directory = temp.path() / "logs";
  WarningCollector warnings;
};

TEST_F(StepLogsTest, EachStepHasItsFileWithTheRawBytes) {
  StepLogs logs = make();
  send(logs, 0, StepPlanned{"a", "[linux/arm64 build 2/3] RUN make", "linux/arm64", {}});
  send(logs, 0, StepStarted{"a"});
  send(logs, 0, StepStarted{"b"});
  send(logs, 1, StepLog{"a", 1, "\x1b[31mred"});
  send(logs, 1, StepLog{"b", 1, "other\n"});
  send(logs, 1, StepLog{"a", 2, " end\n"});
  send(logs, 2, StepFinished{"a", StepEnd::Done, ""});
  EXPECT_EQ(logs.file("a"), directory / "1-linux-arm64-build-2-3-run.log");
  EXPECT_EQ(read_file(logs.file("a")), "\x1b[31mred end\n");
  EXPECT_EQ(read_file(directory / "2-b.log"), "other\n");
  EXPECT_THAT(*warnings.warnings.lock(), IsEmpty());
}

TEST_F(StepLogsTest, OnlyTheOwnerMayRead) {
  StepLogs logs = make();
  send(logs, 0, StepLog{"a", 1, "x\n"});
  struct stat status {};
  ASSERT_EQ(::stat(logs.file("a").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  ASSERT_EQ(::stat(directory.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700u);
}

TEST_F(StepLogsTest, NothingIsMadeWithoutOutput) {
  StepLogs logs = make();
  send(logs, 0, StepStarted{"a"});
  send(logs, 1, StepFinished{"a", StepEnd::Done, ""});
  EXPECT_FALSE(fs::exists(directory));
  EXPECT_EQ(logs.file("a"), fs::path());
}

TEST_F(StepLogsTest, SecondTryGoesOnInTheSameFile) {
  StepLogs logs = make();
  send(logs, 0, StepLog{"a", 1, "first\n"});
  send(logs, 1, StepFinished{"a", StepEnd::Failed, "lost"});
  send(logs, 2, StepStarted{"a"});
  send(logs, 3, StepLog{"a", 1, "second\n"});
  EXPECT_EQ(read_file(logs.file("a")), "first\nsecond\n");
}

TEST_F(StepLogsTest, FileOfAnEarlierBuildIsReplaced) {
  fs::create_directory(directory);
  write_file_atomic(directory / "1-a.log", "of yesterday");
  StepLogs logs = make();
  send(logs, 0, StepLog{"a", 1, "new\n"});
  EXPECT_EQ(read_file(directory / "1-a.log"), "new\n");
}

TEST_F(StepLogsTest, LinkInTheWayIsNotFollowed) {
  fs::create_directory(directory);
  write_file_atomic(temp.path() / "precious", "precious");
  fs::create_symlink(temp.path() / "precious", directory / "1-a.log");
  StepLogs logs = make();
  send(logs, 0, StepLog{"a", 1, "x\n"});
  EXPECT_EQ(read_file(temp.path() / "precious"), "precious");
  EXPECT_THAT(*warnings.warnings.lock(), SizeIs(1));
}

TEST_F(StepLogsTest, FailureToWriteIsSaidOnceAndTheTailGoesOn) {
  write_file_atomic(directory, "a file where the directory should be");
  StepLogs logs = make();
  send(logs, 0, StepLog{"a", 1, "one\n"});
  send(logs, 0, StepLog{"a", 1, "two\n"});
  send(logs, 0, StepLog{"b", 1, "three\n"});
  EXPECT_THAT(*warnings.warnings.lock(), ElementsAre(HasSubstr("cannot write the step log")));
  EXPECT_THAT(logs.tail("a"), ElementsAre("one", "two"));
}

// RLIMIT_FSIZE is a disk of known size.
TEST_F(StepLogsTest, FullDiskIsSaidOnceAndKeepsWhatFitted) {
  struct rlimit before {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const struct rlimit small {.rlim_cur = 8, .rlim_max = before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  StepLogs logs = make();
  send(logs, 0, StepLog{"a", 1, "1234567\n"});
  send(logs, 0, StepLog{"a", 1, "lost\n"});
  send(logs, 0, StepLog{"a", 1, "lost too\n"});
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(read_file(logs.file("a")), "1234567\n");
  EXPECT_THAT(*warnings.warnings.lock(), ElementsAre(HasSubstr("File too large")));
  EXPECT_THAT(logs.tail("a"), ElementsAre("1234567", "lost", "lost too"));
}

TEST_F(StepLogsTest, TailHasTheLastCleanLinesAndTheUnfinishedOne) {
  StepLogs logs = make(3);
  send(logs, 0, StepLog{"a", 1, "1\n2\n\x1b[31m3\x1b[0m\n4\nrest"});
  EXPECT_THAT(logs.tail("a"), ElementsAre("3", "4", "rest"));
  send(logs, 1, StepFinished{"a", StepEnd::Failed, "exit code 2"});
  EXPECT_THAT(logs.tail("a"), ElementsAre("3", "4", "rest"));
  EXPECT_THAT(logs.tail("unknown"), IsEmpty());
}

TEST_F(StepLogsTest, WithoutADirectoryOnlyTheTailIsKept) {
  StepLogs logs({.directory = {}, .tail_lines = 2}, warnings);
  send(logs, 0, StepLog{"a", 1, "1\n"});
  EXPECT_THAT(logs.tail("a"), ElementsAre("1"));
  EXPECT_EQ(logs.file("a"), fs::path());
}

TEST_F(StepLogsTest, ThreadsWriteWholePortions) {
  StepLogs logs = make();
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&logs] {
        for (int i = 0; i < 200; ++i) send(logs, 0, StepLog{"shared", 1, "one line\n"});
      });
  }
  std::string expected;
  for (int i = 0; i < 800; ++i) expected += "one line\n";
  EXPECT_EQ(read_file(logs.file("shared")), expected);
}

struct SlugCase {
  const char* name;
  std::string step, slug;
};
void PrintTo(const SlugCase& row, std::ostream* out) { *out << row.name; }

class LogFileSlug : public testing::TestWithParam<SlugCase> {};
TEST_P(LogFileSlug, IsASafeName) { EXPECT_EQ(log_file_slug(GetParam().step), GetParam().slug); }
INSTANTIATE_TEST_SUITE_P(
    Names, LogFileSlug,
    testing::Values(SlugCase{"usual", "[linux/arm64 build 2/3] RUN make", "linux-arm64-build-2-3-run"},
                    SlugCase{"secret", "[2/2] RUN curl -u me:secret", "2-2-run"},
                    SlugCase{"address", "https://me:secret@host/x", "https"},
                    SlugCase{"path", "../../etc/passwd", "step"}, SlugCase{"empty", "", "step"},
                    SlugCase{"nothing_usable", "日本 / ..", "step"},
                    SlugCase{"long_name", std::string(500, 'x'), std::string(60, 'x')}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace slipway
