#include "accel/char_signs.h"

#include <gtest/gtest.h>

#include <cstddef>

#include "accel/elf_files.h"

namespace slipway {
namespace {

using namespace std::string_literals;

// As compilers make alpha_compare() of GNU make.
const std::string kCompare =
    "\x48\x8b\x3f\x48\x8b\x36\x0f\xbe\x07\x0f\xbe\x16\x38\xd0\x75\x05\xe9\x00\x00\x00\x00\x29\xd0\xc3"s;

std::string program(const std::string& code) {
  return elf_file({.interpreter = "/lib64/loader",
                   .needed = {"libc.so.6"},
                   .run_path = {},
                   .exported = "alpha_compare",
                   .code = code,
                   .machine = EM_X86_64});
}

TEST(CharSigns, FunctionLoadsCharsWithoutASign) {
  const std::string bytes = program(kCompare);
  const auto made = with_unsigned_chars(bytes, ElfImage::parse(bytes).value(), {{"alpha_compare", 2}});
  std::string expected = kCompare;
  expected[7] = expected[10] = '\xb6';
  EXPECT_EQ(made, program(expected));
}

TEST(CharSigns, FunctionThatIsNotTheOneThatWasLookedAtIsLeftAlone) {
  const auto made = [](const std::string& bytes, const CharFunctions& functions) {
    return with_unsigned_chars(bytes, ElfImage::parse(bytes).value(), functions);
  };
  EXPECT_FALSE(made(program(kCompare), {{"alpha_compare", 1}}));
  EXPECT_FALSE(made(program(kCompare), {{"beta_compare", 2}}));
  EXPECT_FALSE(made(program(kCompare + std::string(300, '\x90')), {{"alpha_compare", 2}}));
  EXPECT_FALSE(made(program(""), {{"alpha_compare", 2}})) << "without symbols";
}

TEST(CharSigns, NothingToChangeIsTheProgramItself) {
  const std::string bytes = program("");
  EXPECT_EQ(with_unsigned_chars(bytes, ElfImage::parse(bytes).value(), {}), bytes);
}

TEST(CharSigns, SymbolsThatAreNotInTheFileAreNone) {
  std::string bytes = program(kCompare);
  const auto place = ElfImage::parse(bytes).value().function("alpha_compare");
  ASSERT_TRUE(place);
  const std::size_t size_at = place->offset + place->size + offsetof(Elf64_Sym, st_size);
  bytes[size_at + 3] = '\x7f';
  EXPECT_FALSE(ElfImage::parse(bytes).value().function("alpha_compare"));
}

}  // namespace
}  // namespace slipway
