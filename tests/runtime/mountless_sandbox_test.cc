// Steps without namespaces and mounts: by chroot and by proot, in plain directories, as root.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "base/subprocess.h"
#include "busybox_steps.h"
#include "programs_with_loaders.h"
#include "qemu/emulator.h"
#include "runtime/sandbox.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

// Every path of a tree with its type, owner, mode, time and bytes: what a layer would be made of.
std::string listing(const fs::path& root) {
  std::ostringstream lines;
  std::vector<fs::path> paths{root};
  for (const auto& entry : fs::recursive_directory_iterator(root)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  for (const fs::path& path : paths) {
    struct stat status {};
    ::lstat(path.c_str(), &status);
    lines << path.lexically_relative(root).native() << ' ' << std::oct << status.st_mode << std::dec << ' '
          << status.st_uid << ' ' << status.st_mtim.tv_sec << '.' << status.st_mtim.tv_nsec;
    if (S_ISREG(status.st_mode) && status.st_size < 1000) lines << ' ' << read_file(path);
    lines << '\n';
  }
  return lines.str();
}

/// Processes whose environment has the text.
std::vector<int> processes_with(const std::string& text) {
  std::vector<int> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream file(entry.path() / "environ", std::ios::binary);
    std::stringstream bytes;
    bytes << file.rdbuf();
    if (bytes.str().find(text) != std::string::npos) found.push_back(std::stoi(name));
  }
  return found;
}

class MountlessSandbox : public testing::TestWithParam<Isolation>, protected BusyboxSteps {
 protected:
  MountlessSandbox()
      : BusyboxSteps({"sh",    "cat",   "echo", "env",   "id",     "ls",    "pwd",   "sleep",    "stat",
                      "touch", "uname", "grep", "mkdir", "rm",     "chmod", "chown", "setsid",   "mv",
                      "true",  "dd",    "kill", "mknod", "chroot", "head",  "ps",    "readlink", "wc"}) {}
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root may chroot";
    if (GetParam() == Isolation::Proot && !find_program("proot")) GTEST_SKIP() << "proot is not installed";
    if (!prepare()) GTEST_SKIP() << "busybox is not installed";
    sandbox_ = make_sandbox(GetParam(), work_.path() / "state", logger_);
  }
  void TearDown() override { expect_nothing_left(); }
  bool by_chroot() const { return GetParam() == Isolation::Chroot; }
  void put(const fs::path& file, const std::string& text) {
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
};

INSTANTIATE_TEST_SUITE_P(Tiers, MountlessSandbox, testing::Values(Isolation::Chroot, Isolation::Proot),
                         [](const auto& tier) { return std::string(name_of(tier.param)); });

TEST_P(MountlessSandbox, EndsAsItsProgramDidWhateverEndsAfterIt) {
  for (const char* later : {"", "/bin/true & ", "sleep 0.01 & ", "(sleep 0.01; exit 5) & "}) {
    EXPECT_EQ(shell(std::string(later) + "exit 3").exit_code, 3) << later;
    EXPECT_EQ(shell(std::string(later) + "exit 0").exit_code, 0) << later;
  }
  EXPECT_EQ(shell("/bin/true; kill -KILL $$").exit_code, 128 + SIGKILL);
}

TEST_P(MountlessSandbox, OutputAndErrorsAreApartAndTheExitCodeIsTheSteps) {
  const Output output = shell("echo out; echo err >&2; exit 7");
  EXPECT_EQ(output.out, "out\n");
  EXPECT_EQ(output.err, "err\n");
  EXPECT_EQ(output.exit_code, 7);
}

TEST_P(MountlessSandbox, OutputMayBeOpenedByName) {
  const Output output = shell("echo a; echo b > /dev/stdout; echo c > /dev/stderr; cat /dev/stdin");
  EXPECT_EQ(output.out, "a\nb\n");
  EXPECT_EQ(output.err, "c\n");
  EXPECT_EQ(output.exit_code, 0);
}

TEST_P(MountlessSandbox, AKilledStepFails) { EXPECT_EQ(shell("kill -9 $$").exit_code, 128 + SIGKILL); }

TEST_P(MountlessSandbox, MissingAndUnexecutableProgramsAreSaidAsAShellSaysThem) {
  const Output missing = run({"nosuch"});
  EXPECT_EQ(missing.exit_code, 127);
  EXPECT_EQ(missing.err, "nosuch: not found\n");
  EXPECT_EQ(run({"/etc/passwd"}).exit_code, 126);
}

TEST_P(MountlessSandbox, LeavesTheRootAsItWas) {
  put(rootfs() / "etc/resolv.conf", "the image's own\n");
  fs::create_directory(rootfs() / "dev");
  put(rootfs() / "dev/of-the-image", "x");
  age();
  const std::string before = listing(rootfs());
  const Output output = shell(
      "cat /etc/resolv.conf; echo changed > /etc/resolv.conf; ls /dev; echo x > /dev/null && touch "
      "/dev/mine; "
      "head -c 3 /dev/zero | wc -c; grep -q slipway /etc/hosts && grep -q $(uname -n) /etc/hosts");
  EXPECT_EQ(output.exit_code, 0) << output.err;
  EXPECT_THAT(output.out, Not(HasSubstr("the image's own")));
  EXPECT_THAT(output.out, Not(HasSubstr("of-the-image")));
  EXPECT_EQ(listing(rootfs()), before);
}

TEST_P(MountlessSandbox, WhatTheStepWritesStays) {
  ASSERT_EQ(
      shell("echo new > /etc/mine; rm /etc/group; mkdir -p /a/b; touch /a/b/c; chown 5:6 /a/b/c").exit_code,
      0);
  EXPECT_EQ(read_file(rootfs() / "etc/mine"), "new\n");
  EXPECT_FALSE(fs::exists(rootfs() / "etc/group"));
  EXPECT_FALSE(fs::exists(rootfs() / "etc/hosts"));
  struct stat status {};
  ASSERT_EQ(::stat((rootfs() / "a/b/c").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 5u);
  EXPECT_EQ(status.st_gid, 6u);
  ASSERT_EQ(::stat((rootfs() / "etc").c_str(), &status), 0);
  EXPECT_NE(status.st_mtim.tv_sec, 2000) << "the step changed this directory";
  ASSERT_EQ(::stat(rootfs().c_str(), &status), 0);
  EXPECT_NE(status.st_mtim.tv_sec, 2000) << "the step changed this directory";
}

TEST_P(MountlessSandbox, UserWorkingDirectoryAndVariables) {
  spec_.user = "app";
  spec_.cwd = "/work/here";
  spec_.secret_env.emplace_back("TOKEN", Secret("s3"));
  const Output output = shell("id -u; id -G; pwd; echo $HOME $TOKEN; touch mine; stat -c %u mine");
  EXPECT_EQ(output.out, "1000\n1000 44\n/work/here\n/home/app s3\n1000\n") << output.err;
  struct stat status {};
  ASSERT_EQ(::stat((rootfs() / "work/here/mine").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 1000u);
}

TEST_P(MountlessSandbox, MountsOfAllKinds) {
  put(rootfs() / "root/.cache/of-the-image", "x");
  age();
  const std::string before = listing(rootfs());
  const fs::path tree = work_.path() / "tree", cache = work_.path() / "cache", file = work_.path() / "one";
  put(tree / "sub/f", "bound");
  put(cache / "old", "kept");
  put(file, "file");
  spec_.mounts = {{.source = tree, .dest = "/mnt/tree", .readonly = true},
                  {.source = file, .dest = "/mnt/one", .readonly = true},
                  {.source = cache, .dest = "/root/.cache", .readonly = false}};
  spec_.tmpfs = {{.dest = "/mnt/tree/scratch"}};
  spec_.secrets = {
      {.dest = "/run/secrets/key", .value = Secret("hidden"), .uid = 0, .gid = 0, .mode = 0400},
      {.dest = "/root/.cache/token", .value = Secret("deep"), .uid = 1000, .gid = 1000, .mode = 0440}};
  const Output output = shell(
      "cat /mnt/tree/sub/f /mnt/one /root/.cache/old /run/secrets/key /root/.cache/token; "
      "stat -c ' %a%u' /run/secrets/key; stat -c %a%u /root/.cache/token; ls /root/.cache; "
      "echo more > /root/.cache/new; touch /mnt/tree/scratch/gone; rm /root/.cache/old");
  EXPECT_EQ(output.exit_code, 0) << output.err;
  EXPECT_EQ(output.out, "boundfilekepthiddendeep 4000\n4401000\nold\ntoken\n");
  EXPECT_EQ(listing(rootfs()), before);
  EXPECT_EQ(read_file(cache / "new"), "more\n");
  EXPECT_FALSE(fs::exists(cache / "old"));
  EXPECT_EQ(read_file(tree / "sub/f"), "bound");
  EXPECT_EQ(read_file(file), "file");
}

TEST_P(MountlessSandbox, MountsComeBackFromAStepThatFails) {
  const fs::path cache = work_.path() / "cache";
  fs::create_directory(cache);
  spec_.mounts = {{.source = cache, .dest = "/c", .readonly = false}};
  EXPECT_EQ(shell("echo x > /c/f; exit 3").exit_code, 3);
  EXPECT_EQ(read_file(cache / "f"), "x\n");
  EXPECT_FALSE(fs::exists(rootfs() / "c"));
}

TEST_P(MountlessSandbox, OneCacheAtTwoPlaces) {
  const fs::path cache = work_.path() / "cache";
  fs::create_directory(cache);
  spec_.mounts = {{.source = cache, .dest = "/one", .readonly = false},
                  {.source = cache, .dest = "/two", .readonly = false}};
  const std::string before = listing(rootfs());
  const Output output = shell("echo x > /one/f; cat /two/f");
  EXPECT_EQ(output.out, "x\n") << output.err;
  EXPECT_EQ(read_file(cache / "f"), "x\n");
  EXPECT_EQ(listing(rootfs()), before);
}

TEST_P(MountlessSandbox, AWorkingDirectoryInAMountIsMadeThere) {
  const fs::path cache = work_.path() / "cache";
  fs::create_directory(cache);
  spec_.mounts = {{.source = cache, .dest = "/c", .readonly = false}};
  spec_.cwd = "/c/deep";
  EXPECT_EQ(shell("pwd").out, "/c/deep\n");
  EXPECT_FALSE(fs::exists(rootfs() / "c"));
}

TEST_P(MountlessSandbox, WhatNeedsNamespacesIsRefusedClearly) {
  const auto expect_refused = [&](const char* flag) {
    try {
      shell("true");
      ADD_FAILURE() << flag;
    } catch (const HostError& e) {
      EXPECT_THAT(e.what(), HasSubstr(flag));
      EXPECT_THAT(e.hint(), HasSubstr("--isolation=oci"));
    }
  };
  spec_.network = NetworkMode::None;
  expect_refused("--network=none");
  spec_.network = NetworkMode::Sandbox;
  spec_.security = SecurityMode::Insecure;
  expect_refused("--security=insecure");
}

TEST_P(MountlessSandbox, PathsMayHaveColons) {
  spec_.scratch = work_.path() / "a:b";
  fs::create_directory(spec_.scratch);
  EXPECT_EQ(shell("echo x > /dev/null && cat /etc/hosts > /dev/null").exit_code, 0);
}

TEST_P(MountlessSandbox, TheTestsCannotChangeTheMachine) {
  if (::access("/proc/sys/kernel/hostname", W_OK) == 0) FAIL() << "mountless_main.cc makes it read-only";
  if (by_chroot()) return;  // it shows copies
  EXPECT_NE(shell("echo x > /proc/sys/kernel/hostname").exit_code, 0);
}

TEST_P(MountlessSandbox, NobodySurvivesAStep) {
  const std::string mark = "SLIPWAY_MARK=" + work_.path().filename().native();
  spec_.env.push_back(mark);
  // Twice forked, in a session of its own, with its parents gone.
  EXPECT_EQ(shell("setsid sh -c 'setsid sleep 1000 & setsid sleep 1000 &' & echo started").exit_code, 0);
  EXPECT_EQ(processes_with(mark), std::vector<int>{});
}

TEST_P(MountlessSandbox, StoppingEndsAllOfTheStep) {
  const std::string mark = "SLIPWAY_MARK=" + work_.path().filename().native();
  spec_.env.push_back(mark);
  spec_.args = {"/bin/sh", "-c", "setsid sleep 1000 & trap '' TERM; echo ready; sleep 1000; sleep 1000"};
  std::stop_source stop;
  EXPECT_THROW(sandbox_->run(
                   spec_, [&](int, std::string_view) { stop.request_stop(); }, stop.get_token()),
               Cancelled);
  EXPECT_EQ(processes_with(mark), std::vector<int>{});
}

TEST_P(MountlessSandbox, WhatTheReceiverThrowsComesOut) {
  spec_.args = {"/bin/sh", "-c", "echo x; sleep 1000"};
  EXPECT_THROW(sandbox_->run(spec_, [](int, std::string_view) { throw NotFound("receiver"); }, {}), NotFound);
}

class MountlessForeign : public MountlessSandbox {
 protected:
  void SetUp() override {
    MountlessSandbox::SetUp();
    if (IsSkipped()) return;
    const char* cache = std::getenv("SLIPWAY_TEST_CACHE");
    if (!find_program("proot")) GTEST_SKIP() << "proot is not installed";
    if (!install_busybox(fs::path(cache ? cache : "/var/cache/slipway-test") / "arm64/busybox"))
      GTEST_SKIP() << "the arm64 busybox is missing";
    EmulatorSearch search = EmulatorSearch::from_environment();
    search.ignore_host_binfmt = true;
    spec_.execution =
        choose_execution(Platform::host(), Platform::parse("linux/arm64"), EmulationPolicy::Auto, search);
  }
};

INSTANTIATE_TEST_SUITE_P(Tiers, MountlessForeign, testing::Values(Isolation::Chroot, Isolation::Proot),
                         [](const auto& tier) { return std::string(name_of(tier.param)); });

// The emulator would say it in its own way, and end with 255.
TEST_P(MountlessForeign, ProgramWhoseLoaderIsMissingIsNotFound) {
  const ElfTarget target = *elf_target(Platform::parse("linux/arm64"));
  put(rootfs() / "bin/lost", program_with_loader(target, "/lib/ld-missing.so.1"));
  fs::permissions(rootfs() / "bin/lost", fs::perms(0755));
  for (const char* name : {"/bin/lost", "lost"}) {
    const Output output = run({name});
    EXPECT_EQ(output.exit_code, 127);
    EXPECT_EQ(output.err, std::string(name) + ": not found\n");
  }
}

TEST_P(MountlessForeign, RunsProgramsWithoutTheHostsTable) {
  const std::string before = listing(rootfs());
  const Output output = shell("uname -m; id -u; (exit 3); echo $?; cat /proc/self/status | grep -c Uid");
  EXPECT_EQ(output.out, "aarch64\n0\n3\n1\n") << output.err;
  EXPECT_EQ(listing(rootfs()), before);
  EXPECT_EQ(shell("ls /host-rootfs").out, "usr\n") << "only the emulator's own copy";
  EXPECT_EQ(shell("exit 5").exit_code, 5);
  EXPECT_GT(shell("kill -9 $$").exit_code, 0);
  EXPECT_GT(shell("kill -SEGV $$").exit_code, 0);
  spec_.user = "app";
  EXPECT_EQ(shell("id -u; touch /tmp; mkdir -p /x; id -un").out, "1000\napp\n");
}

TEST_P(MountlessSandbox, RemovingAllOfItsRootRemovesNothingElse) {
  shell("rm -rf /dev/* /etc /run");
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  EXPECT_TRUE(fs::exists("/etc/passwd"));
}

// --- chroot alone ----------------------------------------------------------------------------------------

class ChrootSandbox : public MountlessSandbox {};
INSTANTIATE_TEST_SUITE_P(Tier, ChrootSandbox, testing::Values(Isolation::Chroot),
                         [](const auto&) { return "chroot"; });

TEST_P(ChrootSandbox, AStepCannotLeaveTheRootNorMakeDevices) {
  put(work_.path() / "outside", "secret");
  // The way out of a chroot: another one, with a directory that is open or current outside it.
  const Output output =
      shell("mkdir /j; chroot /j /bin/true; echo $?; mknod /j/sda b 8 0; echo $?; ls -d /../outside");
  EXPECT_THAT(output.err, HasSubstr("can't change root directory"));
  EXPECT_THAT(output.err, HasSubstr("mknod"));
  EXPECT_THAT(output.err, HasSubstr("/../outside: No such file"));
}

TEST_P(ChrootSandbox, NoDescriptorOfOursIsOpenInAStep) {
  const UniqueFd ours = open_file(work_.path(), O_RDONLY | O_DIRECTORY);
  const int leaky = ::fcntl(ours.get(), F_DUPFD, 100);
  const Output output =
      shell("for n in 3 4 5 6 7 8 9 100; do (eval \": <&$n\") 2>/dev/null && echo $n; done; true");
  ::close(leaky);
  EXPECT_EQ(output.out, "");
}

TEST_P(ChrootSandbox, SecretsAreEmptyWhereverTheStepMovedThem) {
  spec_.secrets = {{.dest = "/run/secrets/key", .value = Secret("hidden")}};
  ASSERT_EQ(shell("mv /run/secrets/key /etc/taken; mv /run/secrets /moved").exit_code, 0);
  EXPECT_EQ(read_file(rootfs() / "etc/taken"), "");
}

TEST_P(ChrootSandbox, ShowsTheMachineButNoProcesses) {
  const Output output = shell("cat /proc/sys/kernel/ostype; cat /proc/mounts; cat /proc/self/status");
  EXPECT_EQ(output.out, "Linux\nrootfs / rootfs rw 0 0\n");
  EXPECT_THAT(output.err, HasSubstr("--isolation=proot"));
  EXPECT_THAT(shell("false").err, Not(HasSubstr("proot")));
}

TEST_P(ChrootSandbox, AnAgentIsMetAtItsPlace) {
  const fs::path agent = work_.path() / "agent";
  spec_.agents = {{.dest = "/run/ssh/agent.0", .agent = agent, .uid = 1000, .gid = 1000, .mode = 0600}};
  const std::string before = listing(rootfs());
  EXPECT_EQ(shell("stat -c '%F %a %u' /run/ssh/agent.0").out, "socket 600 1000\n");
  EXPECT_EQ(listing(rootfs()), before);
}

TEST_P(ChrootSandbox, ALinkToResolvConfIsFollowedInTheRootAndStays) {
  fs::create_symlink("../run/systemd/resolve/stub-resolv.conf", rootfs() / "etc/resolv.conf");
  age();
  const std::string before = listing(rootfs());
  EXPECT_EQ(shell("cat /etc/resolv.conf > /dev/null").exit_code, 0);
  EXPECT_EQ(listing(rootfs()), before);
}

TEST_P(ChrootSandbox, APlaceThatTheStepReplacedCountsAsTheInsert) {
  put(rootfs() / "etc/resolv.conf", "the image's own\n");
  const fs::path cache = work_.path() / "cache";
  put(cache / "old", "");
  spec_.mounts = {{.source = cache, .dest = "/c", .readonly = false}};
  ASSERT_EQ(shell("echo x > /etc/r; mv /etc/r /etc/resolv.conf; rm -r /c; mkdir /c; touch /c/new").exit_code,
            0);
  EXPECT_EQ(read_file(rootfs() / "etc/resolv.conf"), "the image's own\n");
  EXPECT_TRUE(fs::exists(cache / "new"));
  EXPECT_FALSE(fs::exists(rootfs() / "c"));
}

TEST_P(ChrootSandbox, ADirectoryThatTheStepRemovedDoesNotComeBack) {
  put(rootfs() / "etc/resolv.conf", "the image's own\n");
  ASSERT_EQ(shell("rm -r /etc").exit_code, 0);
  EXPECT_FALSE(fs::exists(rootfs() / "etc"));
}

}  // namespace
}  // namespace slipway
