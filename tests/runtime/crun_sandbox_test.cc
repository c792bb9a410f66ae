// Steps in real containers. main() (confined_main.cc) has put us into namespaces of our own.
#include <dirent.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "base/subprocess.h"
#include "crun_sandbox_fixture.h"

namespace slipway {
namespace {

using testing::HasSubstr;
using testing::Not;

using CrunSandbox = CrunSandboxTest;

TEST_F(CrunSandbox, SaysWhatItIs) {
  EXPECT_THAT(sandbox_->describe(), testing::StartsWith("crun "));
  EXPECT_EQ(sandbox_->describe().ends_with(", rootless"), test::confinement.user_namespace);
}

TEST_F(CrunSandbox, OutputAndErrorsAreApart) {
  const Output output = shell("echo out; echo err >&2");
  EXPECT_EQ(output.exit_code, 0) << output.err;
  EXPECT_EQ(output.out, "out\n");
  EXPECT_EQ(output.err, "err\n");
}

TEST_F(CrunSandbox, ExitCodeIsTheSteps) { EXPECT_EQ(shell("exit 7").exit_code, 7); }
TEST_F(CrunSandbox, DeathBySignalIsShownAsShellsDo) {
  EXPECT_EQ(shell("sh -c 'kill -9 $$'; exit $?").exit_code, 137);
}

TEST_F(CrunSandbox, EnvironmentIsTheSpecsAlone) {
  ::setenv("SLIPWAY_LEAK", "1", 1);
  spec_.env = {"PATH=/bin", "A=b c", "E="};
  const Output output = run({"/bin/env"});
  EXPECT_THAT(output.out, HasSubstr("A=b c\n"));
  EXPECT_THAT(output.out, HasSubstr("E=\n"));
  EXPECT_THAT(output.out, HasSubstr("HOME=/root\n"));
  EXPECT_THAT(output.out, Not(HasSubstr("SLIPWAY_LEAK")));
}

TEST_F(CrunSandbox, WorkingDirectoryIsTheSpecs) {
  fs::create_directories(rootfs() / "srv/app");
  spec_.cwd = "/srv/app";
  EXPECT_EQ(run({"/bin/pwd"}).out, "/srv/app\n");
}

TEST_F(CrunSandbox, WorkingDirectoryThatAStepRemovedIsMadeAgain) {
  spec_.cwd = "/was/here";
  EXPECT_EQ(run({"/bin/pwd"}).out, "/was/here\n");
  EXPECT_TRUE(fs::is_directory(rootfs() / "was/here"));
}

TEST_F(CrunSandbox, UserComesFromTheImage) {
  spec_.user = "app";
  if (!test::confinement.many_ids) {
    EXPECT_THROW(run({"/bin/id"}), HostError);
    return;
  }
  EXPECT_EQ(run({"/bin/id"}).out, "uid=1000(app) gid=1000 groups=44(video),1000\n");
}

TEST_F(CrunSandbox, WorkingDirectoryThatIsNoneIsTheImagesFault) {
  spec_.cwd = "/proc/self/fd/3";
  EXPECT_THROW(run({"/bin/true"}), InvalidInput);
}

TEST_F(CrunSandbox, UnknownUserIsRefused) {
  spec_.user = "whoever";
  EXPECT_THROW(run({"/bin/id"}), InvalidInput);
}

TEST_F(CrunSandbox, ProgramThatIsNotThereIsSaid) {
  const Output output = run({"/bin/nosuch"});
  EXPECT_EQ(output.exit_code, 127);
  EXPECT_THAT(output.err, HasSubstr("\"/bin/nosuch\" not found in the image"));
}

TEST_F(CrunSandbox, FileThatIsNoProgramIsSaid) {
  std::ofstream(rootfs() / "bin/junk") << "garbage";
  fs::permissions(rootfs() / "bin/junk", fs::perms::all);
  const Output output = run({"/bin/junk"});
  EXPECT_EQ(output.exit_code, 126);
  EXPECT_THAT(output.err, Not(HasSubstr("xec format error")));
}

TEST_F(CrunSandbox, MountPointsLeaveNoTrace) {
  const std::string before = listing(rootfs());
  spec_.secrets.push_back({.dest = "/run/secrets/token", .value = Secret("x")});
  EXPECT_EQ(shell("cat /proc/self/mounts /etc/hosts /etc/resolv.conf /run/secrets/token >/dev/null; ls "
                  "/dev/null /dev/shm /sys")
                .exit_code,
            0);
  EXPECT_EQ(listing(rootfs()), before);
}

TEST_F(CrunSandbox, WhatTheStepWritesStays) {
  EXPECT_EQ(shell("echo hello > /etc/greeting; mkdir /run; touch /run/mine").exit_code, 0);
  EXPECT_EQ(read_file(rootfs() / "etc/greeting"), "hello\n");
  EXPECT_TRUE(fs::exists(rootfs() / "run/mine"));
  EXPECT_FALSE(fs::exists(rootfs() / "etc/hosts"));
}

TEST_F(CrunSandbox, SecretFilesAreReadOnlyAndGoAway) {
  spec_.secrets.push_back({.dest = "/run/secrets/token", .value = Secret("sesame"), .mode = 0400});
  const Output output =
      shell("stat -c %a /run/secrets/token; cat /run/secrets/token; echo x > /run/secrets/token");
  EXPECT_EQ(output.out, "400\nsesame");
  EXPECT_NE(output.exit_code, 0);
  EXPECT_FALSE(fs::exists(rootfs() / "run"));
}

TEST_F(CrunSandbox, SecretOfAUserIsReadableByIt) {
  spec_.secrets.push_back(
      {.dest = "/run/secrets/token", .value = Secret("sesame"), .uid = 1000, .gid = 1000});
  if (!test::confinement.many_ids) {
    EXPECT_THROW(run({"/bin/true"}), HostError) << "there is no such user";
    return;
  }
  spec_.user = "app";
  EXPECT_EQ(shell("cat /run/secrets/token").out, "sesame");
}

TEST_F(CrunSandbox, SecretVariablesAreSeen) {
  spec_.secret_env.emplace_back("TOKEN", Secret("sesame"));
  EXPECT_EQ(shell("echo $TOKEN").out, "sesame\n");
}

TEST_F(CrunSandbox, MountsAreBoundAsAsked) {
  const TempDir source;
  write_file_atomic(source.path() / "file", "content");
  spec_.mounts.push_back({.source = source.path(), .dest = "/mnt/ro"});
  spec_.mounts.push_back({.source = source.path(), .dest = "/mnt/rw", .readonly = false});
  spec_.mounts.push_back({.source = source.path() / "file", .dest = "/etc/one"});
  const Output output = shell("cat /mnt/ro/file /etc/one; echo x > /mnt/rw/new; echo y > /mnt/ro/denied");
  EXPECT_EQ(output.out, "contentcontent");
  EXPECT_THAT(output.err, HasSubstr("Read-only"));
  EXPECT_EQ(read_file(source.path() / "new"), "x\n");
  EXPECT_FALSE(fs::exists(rootfs() / "mnt"));
}

TEST_F(CrunSandbox, MountsInMountsAreDoneOuterFirst) {
  const TempDir outer, inner;
  write_file_atomic(outer.path() / "file", "outer");
  write_file_atomic(inner.path() / "file", "inner");
  fs::create_directory(outer.path() / "deep");
  spec_.mounts.push_back({.source = inner.path(), .dest = "/mnt/deep"});
  spec_.mounts.push_back({.source = outer.path(), .dest = "/mnt"});
  spec_.tmpfs.push_back({.dest = "/mnt/deep/t"});
  fs::create_directory(inner.path() / "t");
  spec_.secrets.push_back({.dest = "/mnt/deep/t/token", .value = Secret("sesame")});
  const Output output = shell("cat /mnt/file /mnt/deep/file /mnt/deep/t/token");
  EXPECT_EQ(output.out, "outerinnersesame") << output.err;
  EXPECT_TRUE(fs::is_empty(inner.path() / "t"));
  EXPECT_FALSE(fs::exists(rootfs() / "mnt"));
}

TEST_F(CrunSandbox, MountIsWhereTheImagesLinkLeads) {
  const TempDir source;
  write_file_atomic(source.path() / "file", "content");
  fs::create_directory(rootfs() / "run");
  fs::create_directory_symlink("/run", rootfs() / "link");
  const std::string before = listing(rootfs());
  spec_.mounts.push_back({.source = source.path(), .dest = "/link/there"});
  EXPECT_EQ(shell("cat /run/there/file").out, "content");
  EXPECT_EQ(listing(rootfs()), before);
}

TEST_F(CrunSandbox, LinkInTheImageLeadsNoMountOutOfIt) {
  const TempDir source, outside;
  fs::create_directory_symlink(outside.path(), rootfs() / "link");
  spec_.mounts.push_back({.source = source.path(), .dest = "/link/a"});
  spec_.tmpfs.push_back({.dest = "/link/b/c"});
  EXPECT_EQ(shell("test -d /link/b/c").exit_code, 0);
  EXPECT_TRUE(fs::is_empty(outside.path()));
}

TEST_F(CrunSandbox, TmpfsHasItsSizeAndIsGoneAfterwards) {
  spec_.tmpfs.push_back({.dest = "/t", .size = 65536});
  spec_.tmpfs.push_back({.dest = "/free"});
  const Output output = shell(
      "head -c 1000000 /bin/busybox > /free/f && head -c 60000 /bin/busybox > /t/fits && stat -c %a /t && "
      "! head -c 100000 /bin/busybox > /t/more");
  EXPECT_EQ(output.exit_code, 0) << output.err;
  EXPECT_EQ(output.out, "1777\n");
  EXPECT_FALSE(fs::exists(rootfs() / "t"));
}

TEST_F(CrunSandbox, SecretLargerThanAPipeArrivesWhole) {
  spec_.secrets.push_back({.dest = "/run/secrets/big", .value = Secret(std::string(500 * 1024, 'x'))});
  EXPECT_EQ(shell("cat /run/secrets/big | wc -c").out, "512000\n");
}

TEST_F(CrunSandbox, UnconfinedStepMayMount) {
  spec_.security = SecurityMode::Insecure;
  const Output output =
      shell("mkdir /m && mount -t tmpfs none /m && touch /m/f && grep CapEff /proc/self/status");
  EXPECT_EQ(output.exit_code, 0) << output.err;
  EXPECT_THAT(output.out, Not(HasSubstr("CapEff:\t00000000")));
}

// The kernel lets nobody in a user namespace clear the flags of a mount that came from outside.
TEST_F(CrunSandbox, SourceOnALockedMountIsBound) {
  spec_.mounts.push_back({.source = "/dev/shm", .dest = "/mnt"});
  EXPECT_EQ(shell("ls /mnt >/dev/null").exit_code, 0);
}

TEST_F(CrunSandbox, HostnameIsTheSpecs) { EXPECT_EQ(run({"/bin/hostname"}).out, "slipway\n"); }

TEST_F(CrunSandbox, NetworkNoneHasOnlyLoopback) {
  spec_.network = NetworkMode::None;
  const Output output = shell("sed 1,2d /proc/net/dev | sed 's/:.*//'; ls /sys/class/net");
  EXPECT_EQ(output.exit_code, 0) << output.err;
  std::istringstream words(output.out);
  for (std::string name; words >> name;) EXPECT_EQ(name, "lo");
}

TEST_F(CrunSandbox, StepCannotMount) { EXPECT_NE(shell("mkdir /m && mount -t tmpfs none /m").exit_code, 0); }

TEST_F(CrunSandbox, HostsProcessesAreNotSeen) { EXPECT_EQ(shell("ps | wc -l").exit_code, 0); }

TEST_F(CrunSandbox, MuchOutputArrivesWhole) {
  const Output output = shell("yes 0123456789abcde | head -n 200000");
  EXPECT_EQ(output.out.size(), 16u * 200000);
}

TEST_F(CrunSandbox, CancelEndsTheStepWithAllItsProcesses) {
  std::stop_source stop;
  spec_.args = {"/bin/sh", "-c",
                "trap '' TERM INT; sleep 98761 & sleep 98761 & echo ready; while true; do sleep 98761; done"};
  const auto run_it = [&] {
    sandbox_->run(
        spec_, [&](int, std::string_view) { stop.request_stop(); }, stop.get_token());
  };
  const auto started = std::chrono::steady_clock::now();
  EXPECT_THROW(run_it(), Cancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(10));
  EXPECT_EQ(count_processes("98761"), 0);
  EXPECT_EQ(count_processes(spec_.id), 0);
}

TEST_F(CrunSandbox, CancelBeforeTheStartRunsNothing) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THROW(run({"/bin/touch", "/ran"}, stop.get_token()), Cancelled);
  EXPECT_FALSE(fs::exists(rootfs() / "ran"));
}

TEST_F(CrunSandbox, ErrorOfTheOutputReceiverEndsTheStep) {
  spec_.args = {"/bin/sh", "-c", "echo ready; sleep 98762"};
  EXPECT_THROW(sandbox_->run(spec_, [](int, std::string_view) { throw InvalidInput("enough"); }, {}),
               InvalidInput);
  EXPECT_EQ(count_processes("98762"), 0);
}

// Each also writes its root while others fork: a child that has not yet exec'ed holds those files open for
// writing.
TEST_F(CrunSandbox, ManyStepsRunAtOnce) {
  constexpr int kSteps = 8;
  std::atomic<int> good{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kSteps; ++i)
      threads.emplace_back([&, i] {
        SandboxSpec spec = spec_;
        const fs::path scratch = work_.path() / ("scratch-" + std::to_string(i)),
                       root = work_.path() / ("root-" + std::to_string(i));
        fs::create_directory(scratch);
        fs::copy(rootfs(), root, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
        spec.id += "-" + std::to_string(i);
        spec.scratch = scratch;
        spec.rootfs = root;
        spec.args = {"/bin/sh", "-c", "echo $0 " + std::to_string(i)};
        std::string out;
        const int code =
            sandbox_->run(spec, [&](int, std::string_view bytes) { out += bytes; }, {}).exit_code;
        if (code == 0 && out == "/bin/sh " + std::to_string(i) + "\n") ++good;
      });
  }
  EXPECT_EQ(good, kSteps);
}

TEST_F(CrunSandbox, ForeignProgramsRunUnderThePrivateTable) {
  if (!become_arm64())
    GTEST_SKIP() << "no arm64 busybox in the cache (tests/support/busybox_base.sh) or no qemu-aarch64";
  const std::string before = listing(rootfs());
  const Output output = shell("uname -m; echo abc | sed s/a/b/ | grep -c bbc; id -u");
  EXPECT_EQ(output.exit_code, 0) << output.err;
  EXPECT_EQ(output.out, "aarch64\n1\n0\n");
  EXPECT_EQ(listing(rootfs()), before);
}

TEST_F(CrunSandbox, ForeignStepIsLikeAnyOther) {
  if (!become_arm64())
    GTEST_SKIP() << "no arm64 busybox in the cache (tests/support/busybox_base.sh) or no qemu-aarch64";
  spec_.secrets.push_back({.dest = "/run/secrets/token", .value = Secret("sesame")});
  spec_.network = NetworkMode::None;
  const Output output = shell("cat /run/secrets/token; ls /sys/class/net; exit 9");
  EXPECT_EQ(output.exit_code, 9) << output.err;
  EXPECT_EQ(output.out, "sesamelo\n");
  if (test::confinement.many_ids) {
    spec_.user = "app";
    EXPECT_EQ(run({"/bin/id"}).out, "uid=1000(app) gid=1000 groups=44(video),1000\n");
  }
}

TEST_F(CrunSandbox, ForeignStepIsCancelledWithAllItsProcesses) {
  if (!become_arm64())
    GTEST_SKIP() << "no arm64 busybox in the cache (tests/support/busybox_base.sh) or no qemu-aarch64";
  std::stop_source stop;
  spec_.args = {"/bin/sh", "-c", "sleep 98763 & echo ready; sleep 98763"};
  EXPECT_THROW(sandbox_->run(
                   spec_, [&](int, std::string_view) { stop.request_stop(); }, stop.get_token()),
               Cancelled);
  EXPECT_EQ(count_processes("98763"), 0);
}

TEST_F(CrunSandbox, ForeignProgramWithoutEmulatorIsSaidPlainly) {
  if (!become_arm64())
    GTEST_SKIP() << "no arm64 busybox in the cache (tests/support/busybox_base.sh) or no qemu-aarch64";
  if (fs::exists("/proc/sys/fs/binfmt_misc/status") && fs::exists("/proc/sys/fs/binfmt_misc/qemu-aarch64"))
    GTEST_SKIP() << "this machine's own table runs arm64";
  spec_.execution = {};
  const Output output = run({"/bin/uname"});
  EXPECT_EQ(output.exit_code, 126);
  EXPECT_THAT(output.err, HasSubstr("not a program for this step's platform"));
}

TEST_F(CrunSandbox, RefusedRegistrationIsAHostError) {
  spec_.execution.kind = Execution::Kind::PrivateBinfmt;
  spec_.execution.registration = ":broken:M::zz";
  EXPECT_THROW(run({"/bin/true"}), HostError);
}

}  // namespace
}  // namespace slipway
