#include "accel/graft.h"

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include <cstring>
#include <functional>
#include <random>

#include "accel/programs.h"
#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "qemu/emulator.h"
#include "qemu/self_test.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const std::string kStub = "jump....slipexec................and the program";
constexpr unsigned kLoads = 2;  // code, data with zeroes behind it; then a note

/// A program as small as it can be that may be grafted.
struct Program {
  Elf64_Ehdr header{};
  Elf64_Phdr segments[kLoads + 1]{};
  std::size_t size = 0x2100;

  Program() {
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = ET_DYN;
    header.e_machine = EM_X86_64;
    header.e_entry = 0x400;
    header.e_phoff = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = kLoads + 1;
    segments[0] = {PT_LOAD, PF_R | PF_X, 0, 0, 0, 0x1000, 0x1000, 0x1000};
    segments[1] = {PT_LOAD, PF_R | PF_W, 0x2000, 0x5000, 0x5000, 0x100, 0x2345, 0x1000};
    segments[2] = {PT_NOTE, PF_R, 0x300, 0x300, 0x300, 0x20, 0x20, 4};
  }
  std::string bytes() const {
    std::string out(size, 'p');
    std::memcpy(out.data(), &header, sizeof header);
    std::memcpy(out.data() + sizeof header, segments, sizeof segments);
    return out;
  }
};

struct Read {
  Elf64_Ehdr header{};
  std::vector<Elf64_Phdr> segments;
};
Read read(const std::string& bytes) {
  Read out;
  std::memcpy(&out.header, bytes.data(), sizeof out.header);
  out.segments.resize(out.header.e_phnum);
  std::memcpy(out.segments.data(), bytes.data() + out.header.e_phoff,
              out.segments.size() * sizeof(Elf64_Phdr));
  return out;
}

TEST(Graft, PutsTheProgramBehindEverythingAndStartsIt) {
  const std::string before = Program().bytes();
  const std::string after = graft(before, kStub);
  const Read elf = read(after);
  ASSERT_EQ(elf.segments.size(), 3u);
  const Elf64_Phdr& added = elf.segments[2];
  EXPECT_EQ(added.p_type, static_cast<Elf64_Word>(PT_LOAD));
  EXPECT_EQ(added.p_flags, static_cast<Elf64_Word>(PF_R | PF_X));
  EXPECT_EQ(added.p_vaddr, 0x8000u);
  EXPECT_EQ(added.p_offset, 0x3000u);
  EXPECT_EQ(elf.header.e_entry, 0x8000u);
  std::int64_t distance;
  std::memcpy(&distance, after.data() + 0x3000 + 8, sizeof distance);
  EXPECT_EQ(distance, 0x400 - 0x8000);
  EXPECT_EQ(after.substr(0x3000 + 16, 8), kStub.substr(16, 8));
  EXPECT_EQ(after.substr(0x3000 + 32, kStub.size() - 32), kStub.substr(32));
  const std::size_t tables = sizeof(Elf64_Ehdr) + 3 * sizeof(Elf64_Phdr);
  EXPECT_EQ(after.substr(tables, before.size() - tables), before.substr(tables));
}

TEST(Graft, TellsTheEmulatorHowToSignPointersIfItIsToldSo) {
  const auto told = [](std::string_view bytes, GraftOptions options) {
    return graft(bytes, kStub, options).substr(0x3000 + 24, 8);
  };
  const std::string nothing(8, '\0');
  std::string bytes = Program().bytes();
  EXPECT_EQ(told(bytes, {.cheap_pointer_codes = true}), nothing);  // it does not know what that is
  EXPECT_EQ(told(bytes + "pauth-impdef", {.cheap_pointer_codes = true}), nothing);  // it carries one that does
  bytes.replace(0x300, 12, "pauth-impdef");
  EXPECT_EQ(told(bytes, {}), nothing);
  EXPECT_EQ(told(bytes, {.cheap_pointer_codes = true}), "\1" + std::string(7, '\0'));
}

TEST(Graft, LeavesTheNoteOfPropertiesToTheKernel) {
  Program program;
  program.header.e_phnum = 5;
  const Elf64_Phdr property = {PT_NOTE, PF_R, 0x200, 0x200, 0x200, 0x20, 0x20, 8};
  std::string bytes = program.bytes();
  Elf64_Phdr more[3] = {property, program.segments[2], property};
  more[2].p_type = PT_GNU_PROPERTY;
  std::memcpy(bytes.data() + sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr), more, sizeof more);
  const Read elf = read(graft(bytes, kStub));
  EXPECT_EQ(elf.segments[2].p_type, static_cast<Elf64_Word>(PT_LOAD));
  EXPECT_EQ(elf.segments[3].p_offset, 0x200u);
  EXPECT_EQ(elf.segments[4].p_type, static_cast<Elf64_Word>(PT_GNU_PROPERTY));
}

struct Oddity {
  const char* name;
  std::function<void(Program&)> apply;
  const char* message;
};
class OddEmulator : public testing::TestWithParam<Oddity> {};

TEST_P(OddEmulator, IsRefused) {
  Program program;
  GetParam().apply(program);
  try {
    graft(program.bytes(), kStub);
    FAIL() << "was taken";
  } catch (const HostError& error) {
    EXPECT_THAT(error.what(), HasSubstr(GetParam().message));
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, OddEmulator,
    testing::Values(
        Oddity{"NoElf", [](Program& p) { p.header.e_ident[0] = 0; }, "not an ELF file"},
        Oddity{"Of32Bits", [](Program& p) { p.header.e_ident[EI_CLASS] = ELFCLASS32; }, "64-bit"},
        Oddity{"BigEndian", [](Program& p) { p.header.e_ident[EI_DATA] = ELFDATA2MSB; }, "64-bit"},
        Oddity{"OtherMachine", [](Program& p) { p.header.e_machine = EM_RISCV; }, "64-bit"},
        Oddity{"Object", [](Program& p) { p.header.e_type = ET_REL; }, "not a program"},
        Oddity{"NoSegments", [](Program& p) { p.header.e_phnum = 0; }, "table of segments"},
        Oddity{"TooManySegments", [](Program& p) { p.header.e_phnum = 0xffff; }, "table of segments"},
        Oddity{"TableBeyondTheEnd", [](Program& p) { p.header.e_phoff = 0x3000; }, "not in the file"},
        Oddity{"TableAtTheEndOfNumbers", [](Program& p) { p.header.e_phoff = ~std::uint64_t{7}; },
               "not in the file"},
        Oddity{"Dynamic", [](Program& p) { p.segments[2].p_type = PT_INTERP; }, "dynamic loader"},
        Oddity{"NoNote", [](Program& p) { p.segments[2].p_type = PT_NULL; }, "entry to spare"},
        Oddity{"SegmentBeyondTheEnd", [](Program& p) { p.segments[1].p_filesz = 0x200; }, "not in the file"},
        Oddity{"SegmentAtTheEndOfNumbers", [](Program& p) { p.segments[1].p_offset = ~std::uint64_t{0xfff}; },
               "not in the file"},
        Oddity{"LessMemoryThanFile", [](Program& p) { p.segments[1].p_memsz = 0x10; }, "not possible"},
        Oddity{"AddressTooHigh", [](Program& p) { p.segments[1].p_vaddr = std::uint64_t{1} << 63; },
               "not possible"},
        Oddity{"MemoryTooLarge", [](Program& p) { p.segments[1].p_memsz = ~std::uint64_t{0}; },
               "not possible"},
        Oddity{"NoPlaceBehind", [](Program& p) { p.segments[1].p_memsz = (std::uint64_t{1} << 47) - 0x5001; },
               "no place behind"},
        Oddity{"Unaligned", [](Program& p) { p.segments[1].p_vaddr = 0x5008; }, "not aligned"},
        Oddity{"OddAlignment", [](Program& p) { p.segments[1].p_align = 0x1001; }, "not aligned"},
        Oddity{"Overlap", [](Program& p) { p.segments[1].p_vaddr = 0; }, "overlap"},
        Oddity{"EntryElsewhere", [](Program& p) { p.header.e_entry = 0x5000; }, "entry point"},
        Oddity{"TableNotLoaded",
               [](Program& p) {
                 p.segments[0].p_offset = 0x1000;
                 p.segments[0].p_vaddr = 0;
               },
               "not loaded"}),
    [](const auto& param) { return std::string(param.param.name); });

TEST(Graft, DamagedEmulatorsAreTakenOrRefused) {
  const std::string whole = Program().bytes();
  std::mt19937 random(11);
  for (int round = 0; round < 3'000; ++round) {
    std::string bytes = whole;
    for (auto changes = 1 + random() % 4; changes > 0; --changes)
      bytes[random() % 0xe8] = static_cast<char>(random() % 2 == 0 ? 0xff : random());
    if (random() % 8 == 0) bytes.resize(random() % bytes.size());
    try {
      EXPECT_LT(graft(bytes, kStub).size(), whole.size() + 0x20000);
    } catch (const HostError&) {
    }
  }
}

TEST(Graft, ProgramWithoutAPlaceForTheWayBackIsRefused) {
  EXPECT_THROW(graft(Program().bytes(), ""), HostError);
  EXPECT_THROW(graft(Program().bytes(), "a program without the placeholder"), HostError);
}

class GraftedEmulator : public testing::Test {
 protected:
  void SetUp() override {
    if (slipway_exec_program().empty()) GTEST_SKIP() << "there is none for this machine";
    if (!fs::exists(kEmulator)) GTEST_SKIP() << "no " << kEmulator;
  }
  static constexpr const char* kEmulator = "/usr/bin/qemu-aarch64-static";
  TempDir work_;
};

TEST_F(GraftedEmulator, IsTheEmulatorForWhoStartsItByHand) {
  const fs::path file = grafted_emulator(kEmulator, work_.path());
  EXPECT_EQ(run_process({.argv = {file, "--version"}}).out,
            run_process({.argv = {kEmulator, "--version"}}).out);
  EXPECT_EQ(run_process({.argv = {file, "/nosuch"}}).exit_code,
            run_process({.argv = {kEmulator, "/nosuch"}}).exit_code);
}

// Its address space is laid out in another way than that of the emulator alone (prelink.h).
class GraftedEmulators : public testing::TestWithParam<const char*> {};

TEST_P(GraftedEmulators, RunProgramsWithThreadsSignalsAndMemory) {
  if (slipway_exec_program().empty()) GTEST_SKIP() << "there is none for this machine";
  const Platform platform = Platform::parse(GetParam());
  const fs::path plain = concat("/usr/bin/qemu-", qemu_architecture(platform).value(), "-static");
  if (!fs::exists(plain)) GTEST_SKIP() << "no " << plain;
  const TempDir work;
  EXPECT_EQ(SelfTest(platform, work.path()).run_by(grafted_emulator(plain, work.path())), "");
}

INSTANTIATE_TEST_SUITE_P(All, GraftedEmulators,
                         testing::Values("linux/386", "linux/arm64", "linux/arm/v7", "linux/ppc64le",
                                         "linux/s390x", "linux/riscv64", "linux/mips64le"),
                         [](const auto& row) {
                           std::string name = row.param;
                           std::ranges::replace(name, '/', '_');
                           return name;
                         });

TEST_F(GraftedEmulator, RunsProgramsWithCheapPointerCodes) {
  const fs::path file = grafted_emulator(kEmulator, work_.path(), {.cheap_pointer_codes = true});
  EXPECT_NE(file, grafted_emulator(kEmulator, work_.path()));
  EXPECT_EQ(SelfTest(Platform::parse("linux/arm64"), work_.path()).run_by(file), "");
}

TEST_F(GraftedEmulator, IsMadeOnceForTheSameBytes) {
  const fs::path file = grafted_emulator(kEmulator, work_.path());
  EXPECT_EQ(file.filename(), "qemu-aarch64-static");
  const auto written = fs::last_write_time(file);
  EXPECT_EQ(grafted_emulator(kEmulator, work_.path()), file);
  EXPECT_EQ(fs::last_write_time(file), written);
  const fs::path other = work_.path() / "qemu-aarch64-static";
  write_file_atomic(other, read_file(kEmulator) + "x");
  EXPECT_NE(grafted_emulator(other, work_.path()), file);
}

TEST_F(GraftedEmulator, IsMadeAnewWhenItOrTheEmulatorIsAnother) {
  const fs::path emulator = work_.path() / "in" / "emulator";
  fs::create_directories(emulator.parent_path());
  fs::copy_file(kEmulator, emulator);
  const fs::path file = grafted_emulator(emulator, work_.path());
  EXPECT_EQ(grafted_emulator(emulator, work_.path()), file);
  fs::remove(file);
  EXPECT_EQ(grafted_emulator(emulator, work_.path()), file);
  EXPECT_TRUE(fs::exists(file));
  std::ofstream(emulator, std::ios::app) << "changed";
  EXPECT_NE(grafted_emulator(emulator, work_.path()), file);
}

TEST_F(GraftedEmulator, ThatCannotBeIsNamed) {
  const fs::path script = work_.path() / "qemu";
  write_file_atomic(script, "#!/bin/sh\n");
  try {
    grafted_emulator(script, work_.path());
    FAIL();
  } catch (const HostError& error) {
    EXPECT_THAT(error.what(), HasSubstr(script.native()));
  }
}

}  // namespace
}  // namespace slipway
