#include "runtime/step_launch.h"

#include <fcntl.h>
#include <gmock/gmock.h>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "runtime/sealed_program.h"

namespace slipway {
namespace {

class StepLaunchTest : public testing::Test {
 protected:
  ProcessResult run(const StepLaunch& launch, std::vector<std::string> argv) {
    Command command{.argv = std::move(argv)};
    launch.prepend_to(command);
    return run_process(command);
  }
  TempDir scratch_;
};

TEST_F(StepLaunchTest, TheProgramGetsItsArgumentsAndItsExitCodeIsTold) {
  const ProcessResult result =
      run(StepLaunch(scratch_.path()), {"/bin/sh", "-c", "echo $1 $0; exit 7", "run", "keep"});
  EXPECT_EQ(result.out, "keep run\n");
  EXPECT_EQ(result.exit_code, 7);
}

TEST_F(StepLaunchTest, UnderAKeeperTheExitCodeIsTheSame) {
  StepLaunch launch(scratch_.path());
  launch.keep();
  EXPECT_EQ(run(launch, {"/bin/sh", "-c", "exit 9"}).exit_code, 9);
}

TEST_F(StepLaunchTest, NothingButTheStandardStreamsIsOpenInTheProgram) {
  const ProcessResult result =
      run(StepLaunch(scratch_.path()),
          {"/bin/sh", "-c", "for fd in $(seq 3 99); do [ ! -e /proc/$$/fd/$fd ] || echo $fd; done"});
  EXPECT_EQ(result.out, "");
}

TEST_F(StepLaunchTest, AProgramThatIsNotThereIsSaid) {
  const ProcessResult result = run(StepLaunch(scratch_.path()), {"/no/such/program"});
  EXPECT_EQ(result.exit_code, 125);
  EXPECT_EQ(result.err, "slipway: preparing the step: /no/such/program: No such file or directory\n");
}

TEST_F(StepLaunchTest, AHardLimitIsRaisedButNeverLowered) {
  StepLaunch launch(scratch_.path());
  launch.raise(ResourceLimits({{.name = "nofile", .soft = 3, .hard = 5}}));
  EXPECT_GT(std::stoull(run(launch, {"/bin/sh", "-c", "ulimit -Hn"}).out), 5u);
}

TEST_F(StepLaunchTest, WhatKeepsEmulationFromBeingSetUpIsTold) {
  Execution execution;
  execution.registration = ":x:M::x::/x:F";
  const PrivateBinfmt binfmt(scratch_.path() / "missing", execution);
  StepLaunch launch(scratch_.path());
  launch.enter(binfmt);
  EXPECT_FALSE(launch.failure());
  EXPECT_EQ(run(launch, {"/bin/true"}).exit_code, 125);
  const auto failure = launch.failure();
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->stage, BinfmtEntryFailure::Stage::Mount);
  EXPECT_EQ(failure->error, ENOENT);
  EXPECT_THROW(throw_binfmt_failure(*failure), HostError);
}

TEST(SealedProgram, CannotBeWrittenTo) {
  const UniqueFd program = sealed_program(read_file("/bin/true"), "true");
  ASSERT_TRUE(program);
  EXPECT_EQ(::write(program.get(), "x", 1), -1);
  EXPECT_EQ(run_process({.argv = {concat("/proc/self/fd/", program.get())}, .inherited = {program.get()}})
                .exit_code,
            0);
}

}  // namespace
}  // namespace slipway
