#include "qemu/self_test.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <iterator>

#include "base/error.h"
#include "base/files.h"
#include "qemu/binfmt.h"
#include "qemu/elf.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class SelfTests : public testing::TestWithParam<const char*> {
 protected:
  TempDir directory_;
};

// What the program says it is must be what a private table is told to look for.
TEST_P(SelfTests, ProgramIsOneOfItsPlatform) {
  const Platform platform = Platform::parse(GetParam());
  ASSERT_TRUE(SelfTest::has_program(platform));
  const SelfTest test(platform, directory_.path());
  const fs::path program = test.directory() / "program";
  const ElfTarget target = elf_target(platform).value();
  EXPECT_TRUE(read_elf_target(program).value().same_machine(target));
  const BinfmtPattern pattern = binfmt_pattern(target);
  const BinfmtEntry entry{.enabled = true, .interpreter = "/q", .magic = pattern.magic, .mask = pattern.mask};
  EXPECT_TRUE(matches(entry, read_file(program).substr(0, 128)));
}

TEST_P(SelfTests, PassesUnderTheMachinesEmulator) {
  const Platform platform = Platform::parse(GetParam());
  const fs::path emulator = "/usr/bin/qemu-" + qemu_architecture(platform).value() + "-static";
  if (!fs::exists(emulator)) GTEST_SKIP() << emulator << " is not installed";
  EXPECT_EQ(SelfTest(platform, directory_.path()).run_by(emulator), "");
}

INSTANTIATE_TEST_SUITE_P(Platforms, SelfTests,
                         testing::Values("linux/amd64", "linux/386", "linux/arm64", "linux/arm/v7",
                                         "linux/arm/v6", "linux/ppc64le", "linux/s390x", "linux/riscv64",
                                         "linux/mips64le"),
                         [](const auto& row) {
                           std::string name = row.param;
                           std::ranges::replace(name, '/', '_');
                           return name;
                         });

class SelfTestVerdicts : public testing::Test {
 protected:
  fs::path script(const std::string& text) {
    const fs::path path = directory_.path() / "emulator";
    write_file_atomic(path, "#!/bin/sh\n" + text + "\n", Durability::None, 0755);
    return path;
  }
  TempDir directory_;
  SelfTest test_{Platform::parse("linux/arm64"), directory_.path()};
};

TEST_F(SelfTestVerdicts, NameTheCheckThatFailed) {
  EXPECT_EQ(test_.run_by(script("exit 11")), "does not keep argv[0]");
  EXPECT_EQ(test_.run_by(script("exit 16")), "does not run threads");
  EXPECT_EQ(test_.run_by(script("exit 18")), "cannot start another program");
}
TEST_F(SelfTestVerdicts, NameTheSignal) {
  EXPECT_EQ(test_.run_by(script("kill -SEGV $$")), "crashes with a small program (Segmentation fault)");
}
TEST_F(SelfTestVerdicts, AreNotOfOneCrashAlone) {
  EXPECT_EQ(test_.run_by(script("[ -e \"$0.ran\" ] && exit 0; touch \"$0.ran\"; kill -SEGV $$")), "");
}
TEST_F(SelfTestVerdicts, QuoteWhatTheEmulatorSays) {
  EXPECT_EQ(test_.run_by(script("echo 'no such CPU' >&2; exit 1")),
            "does not run a small program (exit code 1: no such CPU)");
}
TEST_F(SelfTestVerdicts, SayThatTheEmulatorCannotBeStarted) {
  EXPECT_THAT(test_.run_by(directory_.path() / "none"), HasSubstr("cannot be started (No such file"));
}

TEST(SelfTest, PassesNatively) {
  const TempDir directory;
  if (!SelfTest::has_program(Platform::host())) GTEST_SKIP() << "no program for this machine";
  EXPECT_EQ(SelfTest(Platform::host(), directory.path()).run_by_kernel(), "");
}

// The program itself under a kernel that lacks one thing, as an emulator may.
struct Lacking {
  const char* name;
  long call;
  std::uint32_t wanted = 0, flags = 0;  ///< of its first argument: refused if `flags` & it is `wanted`
  const char* verdict;
};
class SelfTestChecks : public testing::TestWithParam<Lacking> {
 protected:
  static int refuse(const Lacking& lacking) {
    const auto number = static_cast<std::uint32_t>(lacking.call);
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, lacking.flags),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, lacking.wanted, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog filter { .len = std::size(program), .filter = program };
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
    return ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0 ? 0 : errno;
  }
  TempDir directory_;
};
TEST_P(SelfTestChecks, FindWhatIsLacking) {
  if (!SelfTest::has_program(Platform::host())) GTEST_SKIP() << "no program for this machine";
  const SelfTest test(Platform::host(), directory_.path());
  EXPECT_EQ(test.run_by_kernel([] { return refuse(GetParam()); }), GetParam().verdict);
}
INSTANTIATE_TEST_SUITE_P(
    Calls, SelfTestChecks,
    testing::Values(
        Lacking{.name = "Map", .call = SYS_mmap, .verdict = "cannot map memory"},
        Lacking{.name = "Protect", .call = SYS_mprotect, .verdict = "cannot change memory's protection"},
        Lacking{.name = "Unmap", .call = SYS_munmap, .verdict = "cannot unmap memory"},
        Lacking{.name = "Handler", .call = SYS_rt_sigaction, .verdict = "does not deliver signals"},
        Lacking{.name = "Signal", .call = SYS_kill, .verdict = "does not deliver signals"},
        Lacking{.name = "Thread",
                .call = SYS_clone,
                .wanted = CLONE_THREAD,
                .flags = CLONE_THREAD,
                .verdict = "does not run threads"},
        Lacking{.name = "Fork", .call = SYS_clone, .flags = CLONE_THREAD, .verdict = "cannot fork"},
        Lacking{.name = "Nothing", .call = -1, .verdict = ""}),
    [](const auto& row) { return row.param.name; });

TEST(SelfTest, PassesNativelyInARootOfItsOwn) {
  const TempDir directory;
  if (!SelfTest::has_program(Platform::host())) GTEST_SKIP() << "no program for this machine";
  const std::string verdict = SelfTest(Platform::host(), directory.path()).run_by_kernel_in_own_root();
  if (verdict == "cannot be started (Operation not permitted)")
    GTEST_SKIP() << "neither chroot nor user namespaces are allowed here";
  EXPECT_EQ(verdict, "");
}

TEST(SelfTest, IsRemovedWithItsObject) {
  const TempDir directory;
  { const SelfTest test(Platform::parse("linux/arm64"), directory.path()); }
  EXPECT_TRUE(fs::is_empty(directory.path()));
}

TEST(SelfTest, MeasuresTheMachineItself) {
  const TempDir directory;
  if (!SelfTest::has_program(Platform::host())) GTEST_SKIP() << "no program for this machine";
  const SelfTest test(Platform::host(), directory.path());
  EXPECT_GT(test.measure(std::nullopt, 200).value(), 0);
  EXPECT_FALSE(test.measure("/nonexistent/qemu", 1));
}

TEST(SelfTest, PlatformsWithoutOneAreToldOf) {
  EXPECT_FALSE(SelfTest::has_program(Platform::from_fields("linux", "sparc64", "")));
  EXPECT_THROW(SelfTest(Platform::from_fields("linux", "sparc64", ""), "/tmp"), HostError);
}

}  // namespace
}  // namespace slipway
