#include "accel/prelink.h"

#include <gtest/gtest.h>

#include <cstring>

namespace slipway {
namespace {

/// A program with a table of three relocations (two of them relative) and the words that they are for.
struct Program {
  std::vector<Elf64_Phdr> segments = {{PT_LOAD, PF_R, 0, 0, 0, 0x400, 0x400, 0x1000},
                                      {PT_LOAD, PF_R | PF_W, 0x400, 0x1400, 0x1400, 0x200, 0x300, 0x1000},
                                      {PT_DYNAMIC, PF_R | PF_W, 0x400, 0x1400, 0x1400, 0x60, 0x60, 8}};
  Elf64_Rela relocations[3] = {{0x1500, R_X86_64_RELATIVE, 0x123},
                               {0x1508, R_X86_64_RELATIVE, 0x456},
                               {0x1510, R_X86_64_IRELATIVE, 0x789}};
  Elf64_Dyn dynamic[6] = {{DT_RELA, {0x100}},
                          {DT_RELASZ, {sizeof relocations}},
                          {DT_RELAENT, {sizeof(Elf64_Rela)}},
                          {DT_RELACOUNT, {2}},
                          {DT_FLAGS, {8}},
                          {DT_NULL, {0}}};

  std::string bytes() const {
    std::string out(0x600, '\0');
    std::memcpy(out.data() + 0x100, relocations, sizeof relocations);
    std::memcpy(out.data() + 0x400, dynamic, sizeof dynamic);
    return out;
  }
};
std::uint64_t word(const std::string& bytes, std::size_t at) {
  std::uint64_t out;
  std::memcpy(&out, bytes.data() + at, sizeof out);
  return out;
}

TEST(Prelink, WritesAddressesAndLeavesTheRestToTheProgram) {
  const Program program;
  std::string bytes = program.bytes();
  ASSERT_TRUE(prelink(bytes, program.segments));
  EXPECT_EQ(word(bytes, 0x500), kPrelinkBase + 0x123);
  EXPECT_EQ(word(bytes, 0x508), kPrelinkBase + 0x456);
  EXPECT_EQ(word(bytes, 0x510), 0u);
  EXPECT_EQ(word(bytes, 0x408), 0x100 + 2 * sizeof(Elf64_Rela));
  EXPECT_EQ(word(bytes, 0x418), sizeof(Elf64_Rela));
  EXPECT_EQ(word(bytes, 0x438), 0u);
}

void expect_unchanged(const Program& program) {
  const std::string before = program.bytes();
  std::string bytes = before;
  EXPECT_FALSE(prelink(bytes, program.segments));
  EXPECT_EQ(bytes, before);
}

TEST(Prelink, WhatIsNotAsExpectedIsLeftAlone) {
  Program program;
  program.relocations[1].r_info = R_X86_64_GLOB_DAT;
  expect_unchanged(program);
  program = {};
  program.relocations[1].r_offset = 0x1600;  // behind what the file has
  expect_unchanged(program);
  program = {};
  program.relocations[1].r_offset = 0x80;  // may not be written
  expect_unchanged(program);
  program = {};
  program.relocations[1].r_offset = ~std::uint64_t{3};
  expect_unchanged(program);
  program = {};
  program.relocations[1].r_offset = 0x1418;  // the table's own size
  expect_unchanged(program);
  program = {};
  program.dynamic[0].d_un.d_ptr = 0x3f0;
  expect_unchanged(program);
  program = {};
  program.dynamic[1].d_un.d_val = ~std::uint64_t{0};
  expect_unchanged(program);
  program = {};
  program.dynamic[2].d_un.d_val = 16;
  expect_unchanged(program);
  program = {};
  program.dynamic[3].d_un.d_val = 4;
  expect_unchanged(program);
  program = {};
  program.dynamic[3].d_un.d_val = 0;
  expect_unchanged(program);
  program = {};
  program.dynamic[4].d_tag = DT_NEEDED;
  expect_unchanged(program);
  program = {};
  program.dynamic[4].d_tag = DT_RELA;  // twice
  expect_unchanged(program);
  program = {};
  program.segments[2].p_vaddr = 0x1580;
  program.segments[2].p_filesz = 0x100;
  expect_unchanged(program);
  program = {};
  program.segments.pop_back();
  expect_unchanged(program);
}

}  // namespace
}  // namespace slipway
