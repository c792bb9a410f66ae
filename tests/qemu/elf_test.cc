#include "qemu/elf.h"

#include <elf.h>

#include "base/files.h"

namespace slipway {
namespace {

std::string program(std::uint32_t segment_type, std::uint16_t phnum = 1) {
  Elf64_Ehdr header{};
  std::copy_n(ELFMAG, SELFMAG, header.e_ident);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_type = ET_EXEC;
  header.e_phoff = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = phnum;
  Elf64_Phdr segment{};
  segment.p_type = segment_type;
  return std::string(reinterpret_cast<const char*>(&header), sizeof header) +
         std::string(reinterpret_cast<const char*>(&segment), sizeof segment);
}

class StaticProgram : public testing::Test {
 protected:
  bool is_static(std::string_view bytes) {
    write_file_atomic(directory_.path() / "program", bytes);
    return is_static_program(directory_.path() / "program");
  }
  TempDir directory_;
};

TEST_F(StaticProgram, HasNoInterpreter) { EXPECT_TRUE(is_static(program(PT_LOAD))); }
TEST_F(StaticProgram, WithInterpreterIsNot) { EXPECT_FALSE(is_static(program(PT_INTERP))); }
TEST_F(StaticProgram, ScriptIsNot) { EXPECT_FALSE(is_static("#!/bin/sh\n")); }
TEST_F(StaticProgram, EmptyFileIsNot) { EXPECT_FALSE(is_static("")); }
TEST_F(StaticProgram, CutShortIsNot) { EXPECT_FALSE(is_static(program(PT_LOAD).substr(0, 90))); }
TEST_F(StaticProgram, SegmentsBeyondTheEndAreNot) { EXPECT_FALSE(is_static(program(PT_LOAD, 900))); }
TEST_F(StaticProgram, DirectoryIsNot) { EXPECT_FALSE(is_static_program(directory_.path())); }
TEST_F(StaticProgram, AbsentIsNot) { EXPECT_FALSE(is_static_program(directory_.path() / "none")); }

TEST(ElfTarget, UnknownPlatformsHaveNone) {
  EXPECT_FALSE(elf_target(Platform::from_fields("windows", "amd64", "")));
  EXPECT_FALSE(elf_target(Platform::from_fields("linux", "sparc64", "")));
}

}  // namespace
}  // namespace slipway
