#include "slipway/progress_tty.h"

#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <thread>

#include "base/strings.h"
#include "tools/event_script.h"

namespace slipway {
namespace {

using testing::HasSubstr;
using testing::Not;

class FakeTerminal final : public Terminal {
 public:
  TerminalSize size() noexcept override { return {.columns = 80, .rows = 24}; }
  void write(std::string_view bytes) noexcept override {
    const std::lock_guard lock(mutex_);
    last_ = bytes;
    ++pictures_;
    written_.notify_all();
  }
  // Waits until a picture holds `text`.
  void wait_for(std::string_view text) {
    std::unique_lock lock(mutex_);
    written_.wait(lock, [&] { return last_.find(text) != std::string::npos; });
  }
  std::string last() {
    const std::lock_guard lock(mutex_);
    return last_;
  }
  int pictures() {
    const std::lock_guard lock(mutex_);
    return pictures_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable written_;
  std::string last_;
  int pictures_ = 0;
};

TtyOptions options(std::chrono::milliseconds interval) {
  return {.colour = Colour::Never, .interval = interval, .clock = [] { return at(5); }};
}

TEST(TtyProgress, DrawsWhatHappens) {
  FakeTerminal terminal;
  TtyProgress progress(terminal, options(std::chrono::milliseconds(1)));
  send(progress, 0, StepPlanned{"a", "RUN make", "linux/arm64", {}});
  send(progress, 1, StepStarted{"a", ExecutionMode::Emulated, "emulated by qemu-aarch64 7.2"});
  terminal.wait_for("emulated 4.0s");
  send(progress, 2, StepLog{"a", 1, "cc -c a.c\n"});
  terminal.wait_for(" => => # cc -c a.c");
  send(progress, 3, StepFinished{"a", StepEnd::Done, ""});
  terminal.wait_for("(1/1)");
}

TEST(TtyProgress, CloseLeavesTheLastPicture) {
  FakeTerminal terminal;
  TtyProgress progress(terminal, options(std::chrono::hours(1)));
  send(progress, 0, StepPlanned{"a", "RUN make", "linux/arm64", {}});
  send(progress, 1, StepStarted{"a"});
  send(progress, 3, StepFinished{"a", StepEnd::Done, ""});
  progress.close();  // does not wait for the hour
  EXPECT_THAT(terminal.last(), HasSubstr("[+] Building 5.0s (1/1) FINISHED"));
  EXPECT_THAT(terminal.last(), HasSubstr("2.0s"));
}

TEST(TtyProgress, EventsAfterCloseAreDropped) {
  FakeTerminal terminal;
  TtyProgress progress(terminal, options(std::chrono::milliseconds(1)));
  send(progress, 0, StepStarted{"a"});
  progress.close();
  progress.close();
  const int pictures = terminal.pictures();
  send(progress, 1, Warned{"late"});
  EXPECT_EQ(terminal.pictures(), pictures);
  EXPECT_THAT(terminal.last(), Not(HasSubstr("late")));
}

TEST(TtyProgress, WithoutEventsTheTerminalIsLeftAlone) {
  FakeTerminal terminal;
  { TtyProgress progress(terminal, options(std::chrono::milliseconds(1))); }
  EXPECT_EQ(terminal.pictures(), 0);
}

TEST(TtyProgress, ManyThreadsMayReport) {
  FakeTerminal terminal;
  TtyProgress progress(terminal, options(std::chrono::milliseconds(1)));
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&, t] {
        for (int i = 0; i < 100; ++i) {
          const std::string id = concat(t, '.', i);
          send(progress, 0, StepStarted{id});
          send(progress, 1, StepFinished{id, StepEnd::Done, ""});
        }
      });
  }
  progress.close();
  EXPECT_THAT(terminal.last(), HasSubstr("(400/400) FINISHED"));
}

class TtyEnvironment : public testing::Test {
 protected:
  void SetUp() override { clear(); }
  void TearDown() override { clear(); }
  static void clear() {
    ::unsetenv("NO_COLOR");
    ::unsetenv("BUILDKIT_TTY_LOG_LINES");
  }
};

TEST_F(TtyEnvironment, DefaultsToColourAndFourLines) {
  const TtyOptions options = TtyOptions::from_environment();
  EXPECT_EQ(options.colour, Colour::Always);
  EXPECT_EQ(options.log_lines, 4u);
}

TEST_F(TtyEnvironment, VariablesAreHonoured) {
  ::setenv("NO_COLOR", "1", 1);
  ::setenv("BUILDKIT_TTY_LOG_LINES", "10", 1);
  const TtyOptions options = TtyOptions::from_environment();
  EXPECT_EQ(options.colour, Colour::Never);
  EXPECT_EQ(options.log_lines, 10u);
}

TEST_F(TtyEnvironment, NonsenseIsIgnored) {
  ::setenv("NO_COLOR", "", 1);
  ::setenv("BUILDKIT_TTY_LOG_LINES", "many", 1);
  EXPECT_EQ(TtyOptions::from_environment().colour, Colour::Always);
  EXPECT_EQ(TtyOptions::from_environment().log_lines, 4u);
  ::setenv("BUILDKIT_TTY_LOG_LINES", "1000000", 1);
  EXPECT_EQ(TtyOptions::from_environment().log_lines, 4u);
}

TEST(FdTerminal, WithoutATerminalTheSizeIsTheUsualOne) {
  FdTerminal terminal(-1);
  EXPECT_EQ(terminal.size().columns, 80u);
  EXPECT_EQ(terminal.size().rows, 24u);
}

}  // namespace
}  // namespace slipway
