#include "qemu/emulator.h"

#include <cstdlib>

#include "base/error.h"
#include "base/files.h"
#include "qemu/elf.h"

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

TEST(CheapPointerCodes, AreKnownToQemuForAarch64FromSixOn) {
  EXPECT_TRUE(has_cheap_pointer_codes({.program = {}, .name = "qemu-aarch64", .version = "6.0.0"}));
  EXPECT_TRUE(has_cheap_pointer_codes({.program = {}, .name = "qemu-aarch64", .version = "10.1"}));
  EXPECT_FALSE(has_cheap_pointer_codes({.program = {}, .name = "qemu-aarch64", .version = "5.2.0"}));
  EXPECT_FALSE(has_cheap_pointer_codes({.program = {}, .name = "qemu-aarch64", .version = ""}));
  EXPECT_FALSE(has_cheap_pointer_codes({.program = {}, .name = "qemu-arm", .version = "7.2.22"}));
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
  EXPECT_TRUE(execution.registration.ends_with("/qemu-aarch64-static:PFC"));
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
  EXPECT_TRUE(execution.registration.ends_with(":FC"));
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
    EXPECT_EQ(
        e.hint(),
        "apt-get install qemu-user-static (or put a static qemu-aarch64 into a --qemu-dir, or name an image "
        "that has it with --qemu-image)");
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

// The order of the search, and what is said of what would not do.
class SearchOrder : public ChooseExecution {
 protected:
  fs::path own(const std::string& name) {
    search_.own_directories = {own_.path()};
    return own_.path() / name;
  }
  TempDir own_, image_;
};

TEST_F(SearchOrder, OwnDirectoryGoesBeforeTheHostsRegistration) {
  fs::copy_file(FAKE_QEMU, own("qemu-aarch64-static"));
  register_arm64("/nowhere/aarch64-binfmt-P");
  const Execution execution = choose(kArm64);
  EXPECT_EQ(execution.emulator->program, own_.path() / "qemu-aarch64-static");
  EXPECT_EQ(execution.origin, "--qemu-dir or SLIPWAY_QEMU_DIR");
}

TEST_F(SearchOrder, ImageIsAskedOnlyWhenTheMachineHasNone) {
  search_.image = [&]() -> fs::path { throw TransportError("asked", true); };
  install("qemu-aarch64-static");
  EXPECT_EQ(choose(kArm64).origin, "this machine's packages");
}

TEST_F(SearchOrder, ImageIsTheLastResort) {
  fs::copy_file(FAKE_QEMU, image_.path() / "qemu-aarch64");
  search_.image_name = "tools/qemu";
  search_.image = [&] { return image_.path(); };
  EXPECT_EQ(choose(kArm64).origin, "image tools/qemu");
}

TEST_F(SearchOrder, ImageThatCannotBeHadIsNamed) {
  search_.image_name = "tools/qemu";
  search_.image = [&]() -> fs::path { throw TransportError("no route to the registry", true); };
  try {
    choose(kArm64);
    FAIL() << "expected HostError";
  } catch (const HostError& e) {
    EXPECT_THAT(e.message(), HasSubstr("the image of emulators tools/qemu: no route to the registry"));
  }
}

TEST_F(SearchOrder, EmulatorThatFailsItsTestIsPassedOver) {
  fs::copy_file(FAKE_QEMU, own("qemu-aarch64-static"));
  install("qemu-aarch64-static");
  search_.test = [&](const Platform&, const Execution& execution) {
    return execution.origin == "this machine's packages" ? "" : "does not run threads";
  };
  const Execution execution = choose(kArm64);
  EXPECT_EQ(execution.emulator->program, programs_.path() / "qemu-aarch64-static");
  EXPECT_THAT(execution.skipped,
              testing::ElementsAre(own_.path().native() + "/qemu-aarch64-static 9.1.2 does not run threads"));
}

TEST_F(SearchOrder, HostsRegistrationThatFailsItsTestIsPassedOver) {
  register_arm64("/nowhere/aarch64-binfmt-P");
  install("qemu-aarch64-static");
  search_.test = [&](const Platform&, const Execution& execution) {
    return execution.kind == Execution::Kind::HostBinfmt ? "does not keep argv[0]" : "";
  };
  EXPECT_EQ(choose(kArm64).kind, Execution::Kind::PrivateBinfmt);
}

TEST_F(SearchOrder, HostsRegistrationThatIsNotToBeSeenIsFoundByRunningAProgram) {
  install("qemu-aarch64-static");
  install("qemu-s390x-static");
  int asked = 0;
  search_.runs_by_hidden_entry = [&](const Platform& platform) { return ++asked, platform == kArm64; };
  EXPECT_EQ(choose(kArm64).kind, Execution::Kind::PrivateBinfmt);  // the table is there, and without it
  EXPECT_EQ(asked, 0);
  fs::remove(table_.path() / "status");
  EXPECT_EQ(choose(kArm64).kind, Execution::Kind::HostBinfmt);
  EXPECT_EQ(choose(kArm64).describe(), "emulated by the host's emulator");
  EXPECT_EQ(choose(Platform::parse("linux/s390x"), EmulationPolicy::Auto).kind, Execution::Kind::PrivateBinfmt);
}

TEST_F(SearchOrder, WhereTwinsMayRunATableOfOurOwnGoesBeforeTheHosts) {
  register_arm64("/nowhere/aarch64-binfmt-P");
  install("qemu-aarch64-static");
  search_.own_table_for_twins = true;
  EXPECT_EQ(choose(kArm64).kind, Execution::Kind::PrivateBinfmt);
  EXPECT_EQ(choose_execution(kAmd64, kArm64, EmulationPolicy::Qemu, search_).kind,
            Execution::Kind::HostBinfmt);
}

TEST_F(SearchOrder, WhereTheKernelRefusesATableOfOurOwnTheHostsIsUsedWithoutAWord) {
  register_arm64("/nowhere/aarch64-binfmt-P");
  install("qemu-aarch64-static");
  search_.own_table_for_twins = true;
  search_.test = [&](const Platform&, const Execution& execution) -> std::string {
    if (execution.kind == Execution::Kind::PrivateBinfmt) throw HostError("the kernel refuses it");
    return "";
  };
  const Execution execution = choose(kArm64);
  EXPECT_EQ(execution.kind, Execution::Kind::HostBinfmt);
  EXPECT_THAT(execution.skipped, testing::IsEmpty());
}

TEST_F(SearchOrder, WhatTheKernelRefusesIsTheErrorWhereThereIsNothingElse) {
  install("qemu-aarch64-static");
  search_.test = [&](const Platform&, const Execution&) -> std::string {
    throw HostError("the kernel refuses it");
  };
  try {
    choose(kArm64);
    FAIL() << "expected HostError";
  } catch (const HostError& e) {
    EXPECT_EQ(e.message(), "the kernel refuses it");
  }
}

TEST_F(SearchOrder, WhatIsNoEmulatorIsNamedWithTheReason) {
  const auto refusal = [&](std::string_view bytes) {
    write_file_atomic(own("qemu-aarch64-static"), bytes, Durability::None, 0755);
    try {
      choose(kArm64);
      return std::string("taken");
    } catch (const HostError& e) {
      return e.message().substr(e.message().rfind("static ") + 7);
    }
  };
  EXPECT_EQ(refusal(""), "is an empty file");
  EXPECT_EQ(refusal("#!/bin/sh\necho qemu version 7\n"), "is no program but a script or data");
  EXPECT_EQ(refusal(elf_header(elf_target(kArm64).value(), 2) + std::string(100, '\0')),
            "is a program for another machine than this linux/amd64");
}

TEST_F(SearchOrder, FileThatIsNotExecutableIsNamed) {
  write_file_atomic(own("qemu-aarch64-static"), "x", Durability::None, 0644);
  EXPECT_THROW(choose(kArm64), HostError);
}

// A kernel without 32-bit support.
TEST_F(SearchOrder, FamilyThatDoesNotRunHereIsEmulated) {
  install("qemu-i386-static");
  search_.runs_here = [](const Platform&) { return false; };
  EXPECT_EQ(choose(Platform::parse("linux/386")).kind, Execution::Kind::PrivateBinfmt);
  EXPECT_EQ(choose(kAmd64).kind, Execution::Kind::Native);
}

// Emulators are programs of the machine they run on: the stand-in for these hosts is one of this machine, and
// whether it is the host's own is not asked for a host that there is no ELF target for.
class OtherHosts : public ChooseExecution {};

TEST_F(OtherHosts, Arm64TakesAmd64sEmulatorOfItsOwnKindOnly) {
  install("qemu-x86_64-static");
  try {
    choose_execution(kArm64, kAmd64, EmulationPolicy::Auto, search_);
    FAIL() << "expected HostError";
  } catch (const HostError& e) {
    EXPECT_THAT(e.message(), HasSubstr("is a program for another machine than this linux/arm64"));
  }
}

TEST_F(OtherHosts, Arm64UsesTheHostsRegistrationOfAmd64) {
  write_file_atomic(table_.path() / "x86_64",
                    "enabled\ninterpreter /nowhere/x86_64-binfmt-P\nflags: PF\noffset 0\n"
                    "magic 7f454c4602010100000000000000000002003e00\n"
                    "mask ffffffffffffff00fffffffffffffffffeffffff\n");
  EXPECT_EQ(choose_execution(kArm64, kAmd64, EmulationPolicy::Auto, search_).kind,
            Execution::Kind::HostBinfmt);
}

TEST_F(OtherHosts, Arm64RunsArmNativelyWhereItsCpuDoes) {
  const Platform arm = Platform::parse("linux/arm/v7");
  EXPECT_THROW(choose_execution(kArm64, arm, EmulationPolicy::Auto, search_), HostError);
  search_.runs_here = [](const Platform&) { return true; };
  EXPECT_EQ(choose_execution(kArm64, arm, EmulationPolicy::Auto, search_).kind, Execution::Kind::Native);
}

TEST(UsualSlowdown, IsKnownOfEveryPlatformWithAnEmulator) {
  for (const char* name :
       {"linux/amd64", "linux/386", "linux/arm64", "linux/arm/v6", "linux/ppc64le", "linux/s390x"})
    EXPECT_GT(usual_slowdown(Platform::parse(name)), 1) << name;
}

TEST(EmulatorSearch, OwnDirectoryComesFirst) {
  ::setenv("SLIPWAY_QEMU_DIR", "/opt/qemu", 1);
  ::setenv("SLIPWAY_PRIVATE_BINFMT", "1", 1);
  const EmulatorSearch search = EmulatorSearch::from_environment();
  ::unsetenv("SLIPWAY_QEMU_DIR");
  ::unsetenv("SLIPWAY_PRIVATE_BINFMT");
  EXPECT_EQ(search.own_directories, std::vector<fs::path>{"/opt/qemu"});
  EXPECT_EQ(search.directories.back(), "/usr/bin");
  EXPECT_TRUE(search.ignore_host_binfmt);
}

}  // namespace
}  // namespace slipway
