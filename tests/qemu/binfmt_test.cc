#include "qemu/binfmt.h"

#include "base/error.h"
#include "base/files.h"

namespace slipway {
namespace {

using testing::HasSubstr;

std::string hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out += digits[static_cast<unsigned char>(c) >> 4];
    out += digits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

// The published magics of QEMU's user emulators, written out, against what is computed from the ELF fields.
struct MagicCase {
  const char* name;
  const char* platform;
  const char* magic;
  const char* mask;
};
class BinfmtPatterns : public testing::TestWithParam<MagicCase> {};

TEST_P(BinfmtPatterns, AreThoseOfTheArchitecture) {
  const BinfmtPattern pattern = binfmt_pattern(elf_target(Platform::parse(GetParam().platform)).value());
  EXPECT_EQ(hex(pattern.magic), GetParam().magic);
  EXPECT_EQ(hex(pattern.mask), GetParam().mask);
}
constexpr const char* kLittle = "ffffffffffffff00fffffffffffffffffeffffff";
INSTANTIATE_TEST_SUITE_P(
    Architectures, BinfmtPatterns,
    testing::Values(
        MagicCase{"amd64", "linux/amd64", "7f454c4602010100000000000000000002003e00", kLittle},
        MagicCase{"i386", "linux/386", "7f454c4601010100000000000000000002000300", kLittle},
        MagicCase{"arm64", "linux/arm64", "7f454c460201010000000000000000000200b700", kLittle},
        MagicCase{"arm", "linux/arm/v7", "7f454c4601010100000000000000000002002800", kLittle},
        MagicCase{"ppc64le", "linux/ppc64le", "7f454c4602010100000000000000000002001500", kLittle},
        MagicCase{"riscv64", "linux/riscv64", "7f454c460201010000000000000000000200f300", kLittle},
        MagicCase{"mips64le", "linux/mips64le", "7f454c4602010100000000000000000002000800",
                  "ffffffffffffff00fefffffffffffffffeffffff"},
        MagicCase{"s390x", "linux/s390x", "7f454c4602020100000000000000000000020016",
                  "ffffffffffffff00fffffffffffffffffffeffff"}),
    [](const auto& row) { return row.param.name; });

TEST(RegistrationLine, IsAsTheKernelReadsIt) {
  const auto target = elf_target(Platform::parse("linux/arm64")).value();
  EXPECT_EQ(
      registration_line("slipway-aarch64", target, "/usr/bin/qemu-aarch64-static", "PF"),
      R"(:slipway-aarch64:M::\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00)"
      R"(:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff)"
      R"(:/usr/bin/qemu-aarch64-static:PF)");
}

TEST(RegistrationLine, ColonInThePathTakesAnotherSeparator) {
  const auto target = elf_target(Platform::parse("linux/arm64")).value();
  const std::string line = registration_line("q", target, "/opt/a:b/qemu", "F");
  EXPECT_TRUE(line.starts_with("|q|M||"));
  EXPECT_TRUE(line.ends_with("|/opt/a:b/qemu|F"));
}

TEST(RegistrationLine, PathThatNoLineHoldsIsRefused) {
  const auto target = elf_target(Platform::parse("linux/arm64")).value();
  EXPECT_THROW(registration_line("q", target, "/a:|,;!/q", "F"), HostError);
  EXPECT_THROW(registration_line("q", target, "/a\nb", "F"), HostError);
  EXPECT_THROW(registration_line("q", target, "relative", "F"), HostError);
  EXPECT_THROW(registration_line("q", target, "/" + std::string(2000, 'a'), "F"), HostError);
}

TEST(BinfmtEntries, JunkIsNoEntry) {
  EXPECT_FALSE(parse_binfmt_entry(""));
  EXPECT_FALSE(parse_binfmt_entry("enabled\nmagic 7f"));
  EXPECT_FALSE(parse_binfmt_entry("enabled\ninterpreter /q\nmagic xyz"));
  EXPECT_FALSE(parse_binfmt_entry("enabled\ninterpreter /q\nmagic 7f45\nmask ff"));
  EXPECT_FALSE(parse_binfmt_entry("enabled\ninterpreter /q\noffset minus\nmagic 7f45"));
}

TEST(BinfmtEntries, OffsetBeyondTheHeaderMatchesNothing) {
  const auto entry =
      parse_binfmt_entry("enabled\ninterpreter /q\nflags: F\noffset 18446744073709551615\nmagic 7f45")
          .value();
  EXPECT_FALSE(matches(entry,
                       "\x7f"
                       "E"));
}

// A table of a made-up host.
class HostTable : public testing::Test {
 protected:
  void SetUp() override { write("status", "enabled\n"); }
  void write(const std::string& name, std::string_view text) {
    write_file_atomic(table_.path() / name, text);
  }
  void add(const std::string& name, const std::string& interpreter, const std::string& flags,
           const std::string& state = "enabled", const std::string& mask = kLittle) {
    write(name, state + "\ninterpreter " + interpreter + "\nflags: " + flags +
                    "\noffset 0\nmagic 7f454c460201010000000000000000000200b700\nmask " + mask + "\n");
  }
  std::optional<BinfmtEntry> find() {
    return find_host_entry(table_.path(), elf_target(Platform::parse("linux/arm64")).value());
  }
  TempDir table_;
};

TEST_F(HostTable, EntryWithFlagFIsRight) {
  add("qemu-aarch64", "/usr/libexec/qemu-binfmt/aarch64-binfmt-P", "POCF");
  ASSERT_TRUE(find());
  EXPECT_EQ(find()->interpreter, "/usr/libexec/qemu-binfmt/aarch64-binfmt-P");
}
TEST_F(HostTable, EntryWithoutFlagFIsNot) {
  add("qemu-aarch64", "/usr/bin/qemu-aarch64-static", "PC");
  EXPECT_FALSE(find());
}
TEST_F(HostTable, DisabledEntryIsNot) {
  add("qemu-aarch64", "/q", "F", "disabled");
  EXPECT_FALSE(find());
}
TEST_F(HostTable, DisabledTableIsNot) {
  add("qemu-aarch64", "/q", "F");
  write("status", "disabled\n");
  EXPECT_FALSE(find());
}
TEST_F(HostTable, SecondMatchWithoutFlagFSpoilsIt) {
  add("a", "/q", "F");
  add("b", "/q", "P");
  EXPECT_FALSE(find());
}
TEST_F(HostTable, EntryForOneKindOfProgramOnlyIsNot) {
  add("a", "/q", "F", "enabled", "ffffffffffffff00ffffffffffffffffffffffff");
  EXPECT_FALSE(find());
}
TEST_F(HostTable, OtherArchitecturesDoNotCount) {
  write("arm",
        "enabled\ninterpreter /q\nflags: F\noffset 0\nmagic 7f454c4601010100000000000000000002002800\n");
  EXPECT_FALSE(find());
}
TEST(HostTables, AbsentDirectoryHasNone) {
  EXPECT_FALSE(find_host_entry("/nonexistent", elf_target(Platform::parse("linux/arm64")).value()));
}

}  // namespace
}  // namespace slipway
