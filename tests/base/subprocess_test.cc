#include "base/subprocess.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "base/error.h"
#include "base/files.h"

namespace slipway {
namespace {

TEST(Subprocess, CapturesOutputAndExitCode) {
  const ProcessResult result = run_process({.argv = {"sh", "-c", "echo out; echo err >&2; exit 3"}});
  EXPECT_EQ(result.out, "out\n");
  EXPECT_EQ(result.err, "err\n");
  EXPECT_EQ(result.exit_code, 3);
}

TEST(Subprocess, GivesInputAndEnvironment) {
  const ProcessResult result = run_process({.argv = {"sh", "-c", "cat; echo $A-$HOME"},
                                            .environment = std::vector<std::string>{"A=b=c"},
                                            .input = std::string(300'000, 'x')});
  EXPECT_EQ(result.out, std::string(300'000, 'x') + "b=c-\n");
}

TEST(Subprocess, RunsInTheGivenDirectory) {
  EXPECT_EQ(run_process({.argv = {"pwd"}, .directory = "/usr"}).out, "/usr\n");
}

TEST(Subprocess, OutputOfNamedPipesMayBeOpenedByName) {
  const TempDir directory;
  const auto out = directory.path() / "out", err = directory.path() / "err";
  ASSERT_EQ(::mkfifo(out.c_str(), 0600), 0);
  ASSERT_EQ(::mkfifo(err.c_str(), 0600), 0);
  const ProcessResult result =
      run_process({.argv = {"sh", "-c", "echo a; echo b > out; echo c > err; echo d >&2"},
                   .directory = directory.path(),
                   .output_fifos = std::pair(out, err)});
  EXPECT_EQ(result.out, "a\nb\n");
  EXPECT_EQ(result.err, "c\nd\n");
}

TEST(Subprocess, SaysWhichProgramIsMissing) {
  try {
    run_process({.argv = {"no-such-program-here"}});
    FAIL() << "should have thrown";
  } catch (const SystemError& e) {
    EXPECT_EQ(e.error_number(), ENOENT);
    EXPECT_NE(std::string(e.what()).find("no-such-program-here"), std::string::npos);
  }
}

TEST(Subprocess, ReportsTheSignalThatKilledIt) {
  const ProcessResult result = run_process({.argv = {"sh", "-c", "kill -9 $$"}});
  EXPECT_EQ(result.signal, 9);
  EXPECT_EQ(result.exit_code, 137);
}

TEST(Subprocess, StopEndsEvenAChildThatIgnoresTerm) {
  std::stop_source stop;
  Command command{.argv = {"sh", "-c", "trap '' TERM; echo ready; exec sleep 1000"}};
  command.grace = std::chrono::milliseconds(20);
  command.on_output = [&](int, std::string_view) { stop.request_stop(); };
  EXPECT_THROW(run_process(command, stop.get_token()), Cancelled);
}

TEST(Subprocess, StopRequestedBeforeTheStartRunsNothing) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THROW(run_process({.argv = {"sh", "-c", "exit 0"}}, stop.get_token()), Cancelled);
}

TEST(Subprocess, DoesNotWaitForAGrandchildThatKeepsThePipe) {
  const ProcessResult result = run_process({.argv = {"sh", "-c", "sleep 1000 & echo $!"}});
  EXPECT_EQ(result.exit_code, 0);
  ::kill(std::stoi(result.out), SIGKILL);
}

TEST(Subprocess, ChildSetupFailureIsSaid) {
  Command command{.argv = {"true"}};
  command.child_setup = [] { return EPERM; };
  const ProcessResult result = run_process(command);
  EXPECT_EQ(result.exit_code, 125);
  EXPECT_NE(result.err.find("errno 001"), std::string::npos) << result.err;
}

TEST(Subprocess, ChildHasNoDescriptorOfOurs) {
  const TempDir dir;
  const UniqueFd ours = open_file(dir.path() / "ours", O_WRONLY | O_CREAT);
  const ProcessResult result = run_process({.argv = {"ls", "-l", "/proc/self/fd"}});
  EXPECT_EQ(result.out.find(dir.path().native()), std::string::npos) << result.out;
}

// A child that starts while another is being started must not hold anything of its start-up open.
TEST(RunProcess, StartingOneDoesNotWaitForTheEndOfAnother) {
  std::vector<std::jthread> long_ones;  // end with their stop tokens
  for (int i = 0; i < 4; ++i)
    long_ones.emplace_back([](std::stop_token stop) {
      EXPECT_THROW(run_process({.argv = {"sleep", "infinity"}}, std::move(stop)), Cancelled);
    });
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(run_process({.argv = {"true"}}).ok());
}

}  // namespace
}  // namespace slipway
