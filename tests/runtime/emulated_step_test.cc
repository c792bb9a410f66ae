// Steps of another machine's programs, which have an init (step_init/main.cc).
#include <atomic>
#include <string>

#include "base/error.h"
#include "crun_sandbox_fixture.h"
#include "programs_with_loaders.h"

namespace slipway {
namespace {

using testing::HasSubstr;

class EmulatedStep : public CrunSandboxTest {
 protected:
  void SetUp() override {
    CrunSandboxTest::SetUp();
    if (!IsSkipped() && !become_arm64())
      GTEST_SKIP() << "no arm64 busybox in the cache (tests/support/busybox_base.sh) or no qemu-aarch64";
  }
  /// Programs that cannot be started, each in its way.
  void put_broken_programs() const {
    write(rootfs() / "bin/junk", "garbage", 0755);
    write(rootfs() / "bin/closed", "#!/bin/sh\n", 0644);
    write(rootfs() / "bin/orphan", "#!/no/such/shell\n", 0755);
  }
  static void write(const fs::path& file, const std::string& text, int mode) {
    write_file_atomic(file, text, Durability::None, 0755);
    fs::permissions(file, fs::perms(mode));
  }
};

// It hung: process 1 cannot be killed from within, and QEMU waited for that.
TEST_F(EmulatedStep, ProgramThatKillsItselfEnds) {
  EXPECT_EQ(shell("kill -SEGV $$; echo survived").exit_code, 128 + SIGSEGV);
  EXPECT_EQ(shell("kill -ABRT $$; echo survived").exit_code, 128 + SIGABRT);
  EXPECT_EQ(shell("kill -KILL $$; echo survived").exit_code, 128 + SIGKILL);
  EXPECT_EQ(shell("kill -TERM $$; echo survived").exit_code, 128 + SIGTERM);
}

TEST_F(EmulatedStep, CrashOfAChildIsTheShellsToTell) {
  EXPECT_EQ(shell("sh -c 'kill -SEGV $$'; echo $?").out, "139\n");
}

TEST_F(EmulatedStep, ExitCodeIsTheSteps) {
  for (const int code : {0, 1, 126, 127, 128, 255})
    EXPECT_EQ(shell("exit " + std::to_string(code)).exit_code, code);
}

TEST_F(EmulatedStep, WhatItLeavesBehindIsKilledWithIt) {
  const Output output = shell("(sleep 98764 & sleep 98764 &) ; exit 3");
  EXPECT_EQ(output.exit_code, 3);
  EXPECT_EQ(count_processes("98764"), 0);
}

TEST_F(EmulatedStep, OrphansThatEndDoNotEndTheStep) {
  EXPECT_EQ(
      shell("(sh -c 'exit 5' &); for i in 1 2 3; do (true &); done; sleep 0; echo still here; exit 4").out,
      "still here\n");
}

TEST_F(EmulatedStep, ClosedStreamsDoNotMatter) { EXPECT_EQ(shell("exec <&- >&- 2>&-; exit 6").exit_code, 6); }

TEST_F(EmulatedStep, OutputByWayOfProcessOneArrives) {
  const Output output = shell("echo out > /proc/1/fd/1; echo err > /proc/1/fd/2");
  EXPECT_EQ(output.out, "out\n");
  EXPECT_EQ(output.err, "err\n");
}

TEST_F(EmulatedStep, ProcessOneCannotBeKilledFromWithin) {
  EXPECT_EQ(shell("kill -TERM 1; kill -KILL 1; kill -STOP 1; echo $$").out, "2\n");
}

TEST_F(EmulatedStep, SignalsThatItIgnoresDoNotKeepItFromBeingCancelled) {
  std::stop_source stop;
  spec_.args = {"/bin/sh", "-c",
                "trap '' TERM INT HUP; sleep 98765 & echo ready; while true; do sleep 98765; done"};
  EXPECT_THROW(sandbox_->run(
                   spec_, [&](int, std::string_view) { stop.request_stop(); }, stop.get_token()),
               Cancelled);
  EXPECT_EQ(count_processes("98765"), 0);
  EXPECT_EQ(count_processes(".slipway-init"), 0);
}

TEST_F(EmulatedStep, InitLeavesNoTrace) {
  const std::string before = listing(rootfs());
  EXPECT_EQ(shell("test -x /dev/.slipway-init && ! echo x > /dev/.slipway-init").exit_code, 0);
  EXPECT_EQ(listing(rootfs()), before);
}

// Put in there it would stay behind.
TEST_F(EmulatedStep, MountOverDevHasNoInitPutInIt) {
  spec_.tmpfs.push_back({.dest = "/dev"});
  EXPECT_EQ(shell("ls -A /dev | grep -c slipway; echo $$").out, "0\n1\n");
}

TEST_F(EmulatedStep, WhatCannotBeStartedIsSaid) {
  put_broken_programs();
  struct {
    const char* program;
    int exit_code;
    const char* message;
  } const cases[] = {
      {"/bin/nosuch", 127, "\"/bin/nosuch\" not found in the image\n"},
      {"nosuch", 127, "\"nosuch\" not found in the image\n"},
      {"/bin/sh/below", 127, "\"/bin/sh/below\" not found in the image\n"},
      {"/bin", 126, "\"/bin\" is a directory\n"},
      {"closed", 126, "\"closed\": no permission to execute it\n"},
      {"junk", 126, "\"junk\" is not a program for this step's platform, nor a script with a #! line\n"},
      {"orphan", 127, "\"orphan\": its interpreter or dynamic loader is not in the image\n"},
  };
  for (const auto& row : cases) {
    const Output output = run({row.program});
    EXPECT_EQ(output.exit_code, row.exit_code) << row.program;
    EXPECT_EQ(output.err, row.message);
  }
  spec_.execution = {};
  for (const auto& row : cases) EXPECT_EQ(run({row.program}).exit_code, row.exit_code) << "natively";
}

// The emulator would say it in its own way, and end with 255.
TEST_F(EmulatedStep, ProgramWhoseLoaderIsMissingEndsAsNatively) {
  const auto put = [this](const Platform& platform) {
    write(rootfs() / "bin/lost", program_with_loader(*elf_target(platform), "/lib/ld-missing.so.1"), 0755);
  };
  put(Platform::parse("linux/arm64"));
  const Output emulated = run({"lost"});
  EXPECT_EQ(emulated.exit_code, 127);
  EXPECT_EQ(emulated.err, "\"lost\": its interpreter or dynamic loader is not in the image\n");
  put(Platform::host());
  spec_.execution = {};
  const Output native = run({"lost"});
  EXPECT_EQ(native.exit_code, emulated.exit_code);
  EXPECT_EQ(native.err, emulated.err);
}

TEST_F(EmulatedStep, ProgramIsFoundByTheStepsPath) {
  fs::create_directories(rootfs() / "opt/tools");
  write(rootfs() / "opt/tools/greet", "#!/bin/sh\necho hello\n", 0755);
  spec_.env = {"PATH=/bin:/opt/tools"};
  EXPECT_EQ(run({"greet"}).out, "hello\n");
}

TEST_F(EmulatedStep, UserOfTheImageMayUseIt) {
  spec_.user = "app";
  if (!test::confinement.many_ids) {
    EXPECT_THROW(shell("id -u"), HostError);
    return;
  }
  EXPECT_EQ(shell("id -u; kill -SEGV $$").exit_code, 128 + SIGSEGV);
}

}  // namespace
}  // namespace slipway
