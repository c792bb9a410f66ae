#include "accel/machine_names.h"

#include <elf.h>
#include <gtest/gtest.h>

#include "made_up_root.h"

namespace slipway {
namespace {

const NeutralPackages& list() { return NeutralPackages::reviewed(); }
const MachineNames& amd64() { return *list().machine("amd64"); }
const MachineNames& arm64() { return *list().machine("arm64"); }

constexpr std::uint64_t kCode = 0x1000, kStrings = 0x2000, kData = 0x3000;

/// A position independent x86-64 program with one segment each of code, strings and relocations.
struct Program {
  std::string code = std::string(16, '\x90');
  std::string strings = std::string("before\0x86_64-pc-linux-gnu\0after\0", 33);
  std::vector<Elf64_Rela> relocations;
  std::uint16_t machine = EM_X86_64, type = ET_DYN;
  bool has_note = true;

  static constexpr std::uint64_t kName = kStrings + 7;  ///< where the machine's name is

  /// lea rdi, [rip + x]
  void refer(std::uint64_t to) { instruction(std::string("\x48\x8d\x3d", 3), to, {}); }
  void instruction(const std::string& opcode, std::uint64_t to, const std::string& rest) {
    code += opcode;
    const auto next = static_cast<std::int64_t>(kCode + code.size() + 4 + rest.size());
    const auto displacement = static_cast<std::int32_t>(static_cast<std::int64_t>(to) - next);
    code.append(reinterpret_cast<const char*>(&displacement), 4);
    code += rest + std::string(8, '\x90');
  }
  void point(std::uint64_t to) {
    relocations.push_back(
        {.r_offset = kData, .r_info = R_X86_64_RELATIVE, .r_addend = static_cast<std::int64_t>(to)});
  }

  ElfImage image() const {
    const std::uint64_t size = relocations.size() * sizeof(Elf64_Rela);
    std::string data(reinterpret_cast<const char*>(relocations.data()), size);
    const Elf64_Dyn dynamic[3] = {{DT_RELA, {kData}}, {DT_RELASZ, {size}}, {DT_NULL, {0}}};
    data.append(reinterpret_cast<const char*>(dynamic), sizeof dynamic);
    const auto load = [](std::uint32_t what, std::uint32_t flags, std::uint64_t at, std::uint64_t length) {
      return Elf64_Phdr{.p_type = what,
                        .p_flags = flags,
                        .p_offset = at,
                        .p_vaddr = at,
                        .p_paddr = at,
                        .p_filesz = length,
                        .p_memsz = length,
                        .p_align = 0x1000};
    };
    const Elf64_Phdr segments[5] = {
        load(PT_LOAD, PF_R | PF_X, kCode, code.size()), load(PT_LOAD, PF_R, kStrings, strings.size()),
        load(PT_LOAD, PF_R | PF_W, kData, data.size()), load(PT_DYNAMIC, PF_R, kData + size, sizeof dynamic),
        load(PT_NOTE, PF_R, kStrings, 4)};
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_type = type;
    header.e_machine = machine;
    header.e_phoff = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = has_note ? 5 : 4;
    std::string bytes(kData, '\0');
    std::memcpy(bytes.data(), &header, sizeof header);
    std::memcpy(bytes.data() + sizeof header, segments, sizeof segments);
    bytes.replace(kCode, code.size(), code);
    bytes.replace(kStrings, strings.size(), strings);
    auto parsed = ElfImage::parse(bytes + data);
    if (!parsed) throw std::logic_error("the made-up program is damaged");
    return *parsed;
  }
};

ElfImage arm_says(std::string text = "aarch64-unknown-linux-gnu") {
  return *ElfImage::parse(
      MadeUpElf{.machine = EM_AARCH64, .interpreter = "/lib/ld-linux-aarch64.so.1", .text = std::move(text)}
          .bytes());
}

Retelling retold(const Program& program, const ElfImage& target = arm_says()) {
  return retell(program.image(), amd64(), target, arm64(), list());
}

/// The string that `count` bytes of code at `at` (a displacement) refer to.
std::string referred(const ElfImage& image, std::uint64_t at) {
  std::int32_t displacement = 0;
  std::memcpy(&displacement, image.bytes().data() + at, 4);
  const auto offset = image.offset_of(at + 4 + static_cast<std::uint64_t>(std::int64_t{displacement}));
  return offset ? std::string(image.bytes().c_str() + *offset) : "nothing";
}

TEST(Retelling, TurnsEachReferenceToTheTargetsLongerString) {
  Program program;
  program.refer(Program::kName);  // at 16: 3 bytes, then the displacement
  program.refer(kStrings);        // at 31: another string
  program.point(Program::kName);
  const Retelling told = retold(program);
  ASSERT_TRUE(told.program) << told.why_not;
  const auto image = ElfImage::parse(*told.program);
  ASSERT_TRUE(image);
  EXPECT_EQ(referred(*image, kCode + 19), "aarch64-unknown-linux-gnu");
  EXPECT_EQ(referred(*image, kCode + 34), "before");
  Elf64_Rela entry{};
  std::memcpy(&entry, image->bytes().data() + image->relocations()->offset, sizeof entry);
  const auto pointed = image->offset_of(static_cast<std::uint64_t>(entry.r_addend));
  ASSERT_TRUE(pointed);
  EXPECT_STREQ(image->bytes().c_str() + *pointed, "aarch64-unknown-linux-gnu");
}

TEST(Retelling, PutsItsStringsInASegmentBehindAllOthers) {
  Program program;
  program.refer(Program::kName);
  const auto image = ElfImage::parse(*retold(program).program);
  std::uint64_t last = 0;
  int loads = 0;
  for (const auto& segment : image->segments()) {
    EXPECT_NE(segment.type, static_cast<std::uint32_t>(PT_NOTE));
    if (segment.type != PT_LOAD) continue;
    ++loads;
    EXPECT_GE(segment.address, last);
    EXPECT_EQ(segment.address % 0x1000, segment.offset % 0x1000);
    last = segment.address + segment.memory_size;
  }
  EXPECT_EQ(loads, 4);
}

TEST(Retelling, LeavesAStringThatIsMergedWithTheNamesEndAndIsTheSameThere) {
  Program program;
  program.refer(Program::kName);
  program.refer(Program::kName + 10);  // "linux-gnu"
  const Retelling told = retold(program);
  ASSERT_TRUE(told.program) << told.why_not;
  EXPECT_EQ(referred(*ElfImage::parse(*told.program), kCode + 34), "linux-gnu");
}

struct Case {
  const char* name;
  const char* why_not;
  void (*change)(Program&);
};

class DeclinedRetelling : public testing::TestWithParam<Case> {};

TEST_P(DeclinedRetelling, SaysWhy) {
  Program program;
  program.refer(Program::kName);
  GetParam().change(program);
  const Retelling told = retold(program);
  EXPECT_FALSE(told.program);
  EXPECT_NE(told.why_not.find(GetParam().why_not), std::string::npos) << told.why_not;
}

INSTANTIATE_TEST_SUITE_P(
    Cases, DeclinedRetelling,
    testing::Values(
        Case{"NoReference", "nothing is seen to refer", [](Program& p) { p.code = std::string(16, '\x90'); }},
        Case{"ReferenceIntoTheName", "not understood", [](Program& p) { p.refer(Program::kName + 3); }},
        Case{"EndThatTheTargetSaysOtherwise", "not understood",
             [](Program& p) { p.refer(Program::kName + 7); }},
        Case{"LoadOfTheBytes", "not understood",
             [](Program& p) { p.instruction("\x8a\x05", Program::kName, {}); }},  // mov al, [rip + x]
        Case{"ComparisonWithTheBytes", "not understood",
             [](Program& p) { p.instruction("\x80\x3d", Program::kName, "x"); }},  // cmp byte [rip + x], 'x'
        Case{"PointerIntoTheName", "a pointer into", [](Program& p) { p.point(Program::kName + 1); }},
        Case{"PieceInCode", "holds a piece",
             [](Program& p) { p.code += "\xb8x86_" + std::string(8, '\x90'); }},
        Case{"FixedAddress", "not position independent", [](Program& p) { p.type = ET_EXEC; }},
        Case{"OtherHost", "x86-64 hosts only", [](Program& p) { p.machine = EM_AARCH64; }},
        Case{"NoNote", "no note", [](Program& p) { p.has_note = false; }},
        Case{"NameThatTheTargetDoesNotHave", "no like of \"amd64\"",
             [](Program& p) { p.strings += std::string("amd64\0", 6); }}),
    [](const auto& row) { return row.param.name; });

TEST(Retelling, IsDeclinedWhereTheTargetSaysMore) {
  Program program;
  program.refer(Program::kName);
  const Retelling told =
      retold(program, arm_says(std::string("aarch64-unknown-linux-gnu\0for arm64 only", 40)));
  EXPECT_FALSE(told.program);
  EXPECT_EQ(told.why_not, "the host's program has no like of \"for arm64 only\"");
}

TEST(Retelling, IsTheProgramItselfIfThatNamesNoMachine) {
  Program program;
  program.strings = std::string("before\0", 7);
  EXPECT_EQ(retold(program, arm_says("no name")).program, program.image().bytes());
}

TEST(MachineStrings, AreFoundInEitherCaseButNotLoadersNames) {
  const ElfImage other = arm_says("none");
  const auto strings = [&](std::string text) {
    const auto found =
        machine_strings(*ElfImage::parse(MadeUpElf{.text = std::move(text)}.bytes()), amd64(), other, list());
    return found.empty() ? std::string() : found.front().text;
  };
  EXPECT_EQ(strings("is AMD64\n"), "is AMD64\n");
  EXPECT_EQ(strings("i686"), "i686");
  EXPECT_EQ(strings("/lib64/ld-linux-x86-64.so.2"), "");
  EXPECT_EQ(strings("x86"), "");
  EXPECT_EQ(strings("64 of 86"), "");
}

TEST(NeutralPackages, GiveAReasonForEachExclusionAndKnowTheirMachines) {
  for (const auto kind : {PackageDatabase::Kind::Dpkg, PackageDatabase::Kind::Apk}) {
    for (const auto& [name, package] : list().of(kind)) {
      EXPECT_FALSE(package.programs.empty() && package.excluded.empty()) << name;
      for (const auto& [path, why] : package.excluded) EXPECT_FALSE(why.empty()) << path;
    }
  }
  EXPECT_EQ(arm64().uname, "aarch64");
  EXPECT_EQ(list().machine("s390x"), nullptr);
}

const std::vector<std::string> kBoth = {"arm64", "amd64"};

TEST(NeutralPackages, AreFoundWhereBinIsADirectoryToo) {
  const NeutralPackage& coreutils = list().of(PackageDatabase::Kind::Dpkg).at("coreutils");
  for (const char* path : {"/bin/ls", "/usr/bin/ls"}) {
    EXPECT_TRUE(coreutils.program(path, kBoth)) << path;
    EXPECT_FALSE(coreutils.exclusion(path)) << path;
  }
  for (const char* path : {"/bin/uname", "/usr/bin/uname"}) EXPECT_TRUE(coreutils.exclusion(path)) << path;
  EXPECT_FALSE(coreutils.program("/usr/libexec/coreutils/libstdbuf.so", kBoth));
}

TEST(NeutralPackages, MayBeSoOnSomeMachinesOnly) {
  for (const auto kind : {PackageDatabase::Kind::Dpkg, PackageDatabase::Kind::Apk}) {
    const NeutralPackage& zstd = list().of(kind).at("zstd");
    EXPECT_TRUE(zstd.program("/usr/bin/zstd", kBoth));
    EXPECT_FALSE(zstd.program("/usr/bin/zstd", {"ppc64le", "amd64"})) << "it has no vectors for zstd 1.5.4";
  }
}

}  // namespace
}  // namespace slipway
