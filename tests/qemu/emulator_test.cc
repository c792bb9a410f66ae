#include "qemu/emulator.h"

#include <cstdlib>

#include "base/error.h"
#include "base/files.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const Platform kAmd64 = Platform::parse("linux/amd64");
const Platform kArm64 = Platform::parse("linux/arm64");

class ChooseExecution : public testing::Test {
 protected:
  void SetUp() override {
    search_.directories = {programs_.path()};
    search_.binfmt_directory = table_.path();
    write_file_atomic(table_.path() / "status", "enabled\n");
  }
  void install(const std::string& name) {
    fs::copy_file(FAKE_QEMU, programs_.path() / name);
    fs::permissions(programs_.path() / name, fs::perms::owner_all);
  }
  void register_arm64(const std::string& interpreter) {
    write_file_atomic(table_.path() / "arm64",
                      "enabled\ninterpreter " + interpreter +
                          "\nflags: PF\noffset 0\nmagic 7f454c460201010000000000000000000200b700\n"
                          "mask ffffffffffffff00fffffffffffffffffeffffff\n");
  }
  Execution choose(const Platform& target, EmulationPolicy policy = EmulationPolicy::Auto) {
    return choose_execution(kAmd64, target, policy, search_);
  }
  TempDir programs_, table_;
  EmulatorSearch search_;
};

TEST_F(ChooseExecution, OwnPlatformIsNative) {
  EXPECT_EQ(choose(kAmd64).kind, Execution::Kind::Native);
  EXPECT_EQ(choose(kAmd64, EmulationPolicy::Qemu).kind, Execution::Kind::Native);
  EXPECT_EQ(choose(kAmd64, EmulationPolicy::Never).describe(), "");
}

TEST_F(ChooseExecution, ThirtyTwoBitOfTheSameMachineIsNative) {
  EXPECT_EQ(choose(Platform::parse("linux/386")).kind, Execution::Kind::Native);
}

TEST_F(ChooseExecution, PolicyQemuEmulatesWhatTheHostCouldRun) {
  install("qemu-i386-static");
  const Execution execution = choose(Platform::parse("linux/386"), EmulationPolicy::Qemu);
  EXPECT_EQ(execution.kind, Execution::Kind::PrivateBinfmt);
  EXPECT_THAT(execution.registration, HasSubstr(":slipway-i386:M::"));
}

TEST_F(ChooseExecution, ForeignPlatformGetsAPrivateTable) {
  install("qemu-aarch64-static");
  const Execution execution = choose(kArm64);
  EXPECT_EQ(execution.kind, Execution::Kind::PrivateBinfmt);
  EXPECT_EQ(execution.describe(), "emulated by qemu-aarch64 9.1.2");
  EXPECT_EQ(execution.emulator->program, programs_.path() / "qemu-aarch64-static");
  EXPECT_TRUE(execution.registration.ends_with("/qemu-aarch64-static:PF"));
}

TEST_F(ChooseExecution, PlainNameIsTakenIfStatic) {
  install("qemu-aarch64");
  EXPECT_EQ(choose(kArm64).emulator->program, programs_.path() / "qemu-aarch64");
}

TEST_F(ChooseExecution, DynamicEmulatorIsRefusedAndNamed) {
  fs::create_symlink("/proc/self/exe", programs_.path() / "qemu-aarch64");  // this test is linked dynamically
  try {
    choose(kArm64);
    FAIL() << "expected HostError";
  } catch (const HostError& e) {
    EXPECT_THAT(e.message(), HasSubstr("dynamically linked"));
  }
}

TEST_F(ChooseExecution, EmulatorBeforeVersion6DoesNotGetItsName) {
  ::setenv("FAKE_QEMU_VERSION", "5.2.0", 1);
  install("qemu-aarch64-static");
  const Execution execution = choose(kArm64);
  ::unsetenv("FAKE_QEMU_VERSION");
  EXPECT_TRUE(execution.registration.ends_with(":F"));
}

TEST_F(ChooseExecution, HostsRegistrationIsUsed) {
  register_arm64("/nowhere/aarch64-binfmt-P");
  const Execution execution = choose(kArm64);
  EXPECT_EQ(execution.kind, Execution::Kind::HostBinfmt);
  EXPECT_EQ(execution.describe(), "emulated by aarch64-binfmt-P");
  EXPECT_EQ(execution.registration, "");
}

TEST_F(ChooseExecution, HostsEmulatorIsNamedThroughItsLink) {
  install("qemu-aarch64-static");
  fs::create_symlink(programs_.path() / "qemu-aarch64-static", programs_.path() / "aarch64-binfmt-P");
  register_arm64((programs_.path() / "aarch64-binfmt-P").native());
  EXPECT_EQ(choose(kArm64).describe(), "emulated by qemu-aarch64 9.1.2");
}

TEST_F(ChooseExecution, HostsRegistrationCanBeIgnored) {
  register_arm64("/nowhere/aarch64-binfmt-P");
  install("qemu-aarch64-static");
  search_.ignore_host_binfmt = true;
  EXPECT_EQ(choose(kArm64).kind, Execution::Kind::PrivateBinfmt);
}

TEST_F(ChooseExecution, MissingEmulatorNamesThePackage) {
  try {
    choose(kArm64);
    FAIL() << "expected HostError";
  } catch (const HostError& e) {
    EXPECT_THAT(e.message(), HasSubstr("linux/arm64"));
    EXPECT_EQ(e.hint(), "apt-get install qemu-user-static (or put qemu-aarch64 on PATH)");
  }
}

TEST_F(ChooseExecution, NeverForbidsEmulation) {
  install("qemu-aarch64-static");
  register_arm64("/q");
  try {
    choose(kArm64, EmulationPolicy::Never);
    FAIL() << "expected HostError";
  } catch (const HostError& e) {
    EXPECT_THAT(e.message(), HasSubstr("--emulation=never"));
  }
}

TEST_F(ChooseExecution, OtherSystemsAreRefused) {
  EXPECT_THROW(choose(Platform::parse("windows/amd64")), HostError);
}

TEST(EmulatorSearch, OwnDirectoryComesFirst) {
  ::setenv("SLIPWAY_QEMU_DIR", "/opt/qemu", 1);
  ::setenv("SLIPWAY_PRIVATE_BINFMT", "1", 1);
  const EmulatorSearch search = EmulatorSearch::from_environment();
  ::unsetenv("SLIPWAY_QEMU_DIR");
  ::unsetenv("SLIPWAY_PRIVATE_BINFMT");
  EXPECT_EQ(search.directories.front(), "/opt/qemu");
  EXPECT_EQ(search.directories.back(), "/usr/bin");
  EXPECT_TRUE(search.ignore_host_binfmt);
}

}  // namespace
}  // namespace slipway
