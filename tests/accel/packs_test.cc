#include "accel/packs.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "accel/elf_files.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* kHash = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

std::string manifest_with(std::string_view programs) {
  return concat(R"({"format": 1, "platform": "linux/arm64", "machine": "aarch64", "programs": [)", programs,
                "]}");
}

std::string program_with(std::string_view more) {
  return concat(R"({"target": "/usr/bin/as", "package": "binutils", "version": "2.40-2", "sha256": ")", kHash,
                R"(", "twin": "/usr/bin/cross-as")", more, "}");
}

TEST(PackManifest, IsReadWithConditionsAndRules) {
  const Pack pack = parse_pack(manifest_with(program_with(R"(,
      "when": [{"directory": "/usr/lib/plugins", "names": ["b.so", "a.so"]},
               {"file": "/etc/ld.so.conf", "sha256": ")" + std::string(kHash) +
                                                          R"("}],
      "rules": [{"kind": "prepend", "with": ["-x"]}, {"kind": "append", "with": ["-I", "{pack}/i"]},
                {"kind": "replace", "pattern": "*/p.so", "with": ["{pack}/p.so"]},
                {"kind": "drop", "pattern": "-q"}, {"kind": "decline", "pattern": "@*"},
                {"kind": "require", "pattern": "-c"}])")),
                               "accel/test");
  EXPECT_EQ(pack.reference, "accel/test");
  EXPECT_EQ(pack.platform, Platform::parse("linux/arm64"));
  EXPECT_EQ(pack.machine, "aarch64");
  using enum ArgumentRule::Kind;
  const PackProgram expected{
      .target = "/usr/bin/as",
      .package = "binutils",
      .version = "2.40-2",
      .sha256 = kHash,
      .twin = "/usr/bin/cross-as",
      .conditions = {{.path = "/usr/lib/plugins", .content = {"a.so", "b.so"}},
                     {.of = PackCondition::Of::File, .path = "/etc/ld.so.conf", .content = {kHash}}},
      .rules = {{.kind = Prepend, .pattern = {}, .with = {"-x"}},
                {.kind = Append, .pattern = {}, .with = {"-I", "{pack}/i"}},
                {.kind = Replace, .pattern = "*/p.so", .with = {"{pack}/p.so"}},
                {.kind = Drop, .pattern = "-q", .with = {}},
                {.kind = Decline, .pattern = "@*", .with = {}},
                {.kind = Require, .pattern = "-c", .with = {}}}};
  EXPECT_THAT(pack.programs, ElementsAre(expected));
}

struct Refused {
  const char* name;
  std::string text;
  std::string_view why;
};

class RefusedManifest : public ::testing::TestWithParam<Refused> {};

TEST_P(RefusedManifest, NamesThePackAndThePlace) {
  try {
    parse_pack(GetParam().text, "accel/test");
    FAIL() << "it was taken";
  } catch (const InvalidInput& e) {
    EXPECT_THAT(e.what(), HasSubstr("toolchain pack accel/test, /usr/share/slipway/accel.json: "));
    EXPECT_THAT(e.what(), HasSubstr(GetParam().why));
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, RefusedManifest,
    ::testing::Values(
        Refused{"no_json", "hello", "not valid JSON (at byte 1 of 5)"},
        Refused{"cut_short", manifest_with("").substr(0, 40), "not valid JSON"},
        Refused{"an_array", "[]", "$: expected an object"},
        Refused{"deep", std::string(100000, '['), "nested too deep"},
        Refused{"large", std::string((4 << 20) + 1, ' '), "more than 4194304 are refused"},
        Refused{"other_format", R"({"format": 2, "news": 1})", "format 2; this slipway reads format 1"},
        Refused{"no_format", "{}", "'format' is missing"},
        Refused{"unknown_key", R"({"format": 1, "extra": 1})", "$: unknown key 'extra'"},
        Refused{"platform", R"({"format": 1, "platform": "linux/", "machine": "x", "programs": []})",
                "$.platform"},
        Refused{"climbing_target",
                manifest_with(R"({"target": "/usr/../etc/x", "package": "p", "version": "1"})"),
                "$.programs[0].target: '/usr/../etc/x' is not a clean absolute path"},
        Refused{"relative_twin",
                manifest_with(concat(R"({"target": "/a", "package": "p", "version": "1", "sha256": ")", kHash,
                                     R"(", "twin": "b"})")),
                "$.programs[0].twin: 'b' is not a clean absolute path"},
        Refused{"hash",
                manifest_with(
                    R"({"target": "/a", "package": "p", "version": "1", "sha256": "12", "twin": "/b"})"),
                "sha256: expected 64 hexadecimal digits"},
        Refused{"unknown_kind", manifest_with(program_with(R"(, "rules": [{"kind": "swap"}])")),
                "'swap' is not one of"},
        Refused{"pattern_missing", manifest_with(program_with(R"(, "rules": [{"kind": "drop"}])")),
                "$.programs[0].rules[0]: 'pattern' is missing"},
        Refused{
            "pattern_too_many",
            manifest_with(program_with(R"(, "rules": [{"kind": "append", "pattern": "x", "with": ["y"]}])")),
            "a 'append' rule has no pattern"},
        Refused{"newline_in_argument",
                manifest_with(program_with(R"(, "rules": [{"kind": "append", "with": ["a\nb"]}])")),
                "with[0]: has a control character in it"},
        Refused{
            "rule_of_later_days",
            manifest_with(program_with(R"(, "rules": [{"kind": "drop", "pattern": "x", "unless": "y"}])")),
            "unknown key 'unless'"}),
    [](const auto& refused) { return refused.param.name; });

TEST(PackManifest, IsLookedForInTheImage) {
  const TempDir directory;
  const RootedDir tree(directory.path());
  try {
    read_pack(tree, "debian:12");
    FAIL() << "it was taken";
  } catch (const InvalidInput& e) {
    EXPECT_THAT(e.what(), HasSubstr("toolchain pack debian:12: there is no /usr/share/slipway/accel.json"));
    EXPECT_THAT(e.hint(), HasSubstr("--accel-pack"));
  }
  fs::create_directories(directory.path() / "usr/share/slipway");
  write_file_atomic(directory.path() / "usr/share/slipway/accel.json", manifest_with(""));
  EXPECT_THAT(read_pack(tree, "x").programs, IsEmpty());
}

/// A pack with one static twin, and a root with the program that it stands for.
class PackMatching : public ::testing::Test {
 protected:
  PackMatching() {
    write("pack/usr/bin/cross-as", elf_file({}), 0755);
    write("root/usr/bin/as", "the target's as", 0755);
    pack_.programs.push_back({.target = "/usr/bin/as",
                              .package = "binutils",
                              .version = "2.40-2",
                              .sha256 = std::string(Digest::of("the target's as").hex()),
                              .twin = "/usr/bin/cross-as",
                              .conditions = {},
                              .rules = {}});
  }

  void write(const fs::path& path, std::string_view bytes, unsigned mode = 0644) const {
    const fs::path file = directory_.path() / path;
    fs::create_directories(file.parent_path());
    write_file_atomic(file, bytes, Durability::None, mode);
  }

  PackMatch match(std::string_view platform = "linux/arm64") const {
    const RootedDir tree(directory_.path() / "pack"), root(directory_.path() / "root");
    const PackageOwner owner = [this](const std::string& path) -> decltype(owner_) {
      return path == "/usr/bin/as" || path == "/usr/bin/ld" ? owner_ : std::nullopt;
    };
    return match_pack(pack_, tree, Platform::parse(platform), root, owner,
                      {.tree = 3, .mounted_at = "/dev/.slipway/tree/3"});
  }

  void expect_declined(std::string_view why) const {
    const PackMatch found = match();
    EXPECT_THAT(found.twins, IsEmpty());
    EXPECT_THAT(found.declined, ElementsAre(HasSubstr(why)));
  }

  TempDir directory_;
  Pack pack_{.reference = "accel/test",
             .platform = Platform::parse("linux/arm64"),
             .machine = "aarch64",
             .programs = {}};
  std::optional<std::pair<std::string, std::string>> owner_{{"binutils", "2.40-2"}};
};

TEST_F(PackMatching, GivesATwinForTheVeryFileOfThePackage) {
  pack_.programs[0].rules = {{.kind = ArgumentRule::Kind::Append, .pattern = {}, .with = {"-B{pack}/lib"}}};
  const PackMatch found = match();
  EXPECT_THAT(found.declined, IsEmpty());
  ASSERT_THAT(found.twins, SizeIs(1));
  const Twin& twin = found.twins[0];
  struct stat status {};
  ASSERT_EQ(::stat((directory_.path() / "root/usr/bin/as").c_str(), &status), 0);
  EXPECT_EQ(twin.target, "/usr/bin/as");
  EXPECT_EQ(twin.identity, FileIdentity::of(status));
  EXPECT_EQ(twin.package + " " + twin.version, "binutils 2.40-2");
  EXPECT_EQ(twin.source, "accel/test");
  EXPECT_EQ(twin.tree, 3);
  EXPECT_EQ(twin.program, "/usr/bin/cross-as");
  EXPECT_EQ(twin.loader, "");
  EXPECT_THAT(twin.rules[0].with, ElementsAre("-B/dev/.slipway/tree/3/lib"));
}

TEST_F(PackMatching, KnowsTheFileBelowALinkOfTheRoot) {
  fs::create_directory_symlink("usr/bin", directory_.path() / "root/bin");
  pack_.programs[0].target = "/bin/as";
  ASSERT_THAT(match().twins, SizeIs(1));
  EXPECT_EQ(match().twins[0].target, "/usr/bin/as");
}

TEST_F(PackMatching, SaysWhichVersionsDiffer) {
  owner_->second = "2.40-2+deb12u1";
  expect_declined(
      "the pack accel/test: /usr/bin/as: it is for binutils 2.40-2, the root has binutils 2.40-2+deb12u1");
}

TEST_F(PackMatching, DeclinesAFileOfNoPackage) {
  owner_.reset();
  expect_declined("no package of the root owns it");
}

TEST_F(PackMatching, DeclinesAChangedFile) {
  write("root/usr/bin/as", "the target's AS", 0755);
  expect_declined("the root's is not the one of binutils 2.40-2");
}

TEST_F(PackMatching, DeclinesATwinThatCannotRun) {
  write("pack/usr/bin/cross-as", "#!/bin/sh\n", 0755);
  expect_declined("the twin /usr/bin/cross-as cannot be run: it is not an ELF program");
}

TEST_F(PackMatching, SaysNothingOfWhatTheRootHasNot) {
  fs::remove(directory_.path() / "root/usr/bin/as");
  const PackMatch found = match();
  EXPECT_THAT(found.twins, IsEmpty());
  EXPECT_THAT(found.declined, IsEmpty());
}

TEST_F(PackMatching, LooksAtNothingThatIsNoRegularFile) {
  fs::remove(directory_.path() / "root/usr/bin/as");
  ASSERT_EQ(::mkfifo((directory_.path() / "root/usr/bin/as").c_str(), 0755), 0);
  EXPECT_THAT(match().twins, IsEmpty());
}

TEST_F(PackMatching, IsForItsPlatformOnly) {
  const PackMatch found = match("linux/arm/v7");
  EXPECT_THAT(found.twins, IsEmpty());
  EXPECT_THAT(found.declined, ElementsAre("the pack accel/test is for linux/arm64, not for linux/arm/v7"));
}

TEST_F(PackMatching, TakesTheFirstEntryWhoseConditionHolds) {
  write("pack/usr/bin/other", elf_file({}), 0755);
  PackProgram with_plugin = pack_.programs[0];
  with_plugin.twin = "/usr/bin/other";
  with_plugin.conditions = {{.path = "/usr/lib/plugins", .content = {"lto.so"}}};
  pack_.programs[0].conditions = {{.path = "/usr/lib/plugins", .content = {}}};
  pack_.programs.insert(pack_.programs.begin(), with_plugin);

  ASSERT_THAT(match().twins, SizeIs(1));
  EXPECT_EQ(match().twins[0].program, "/usr/bin/cross-as");
  EXPECT_THAT(match().declined, IsEmpty());
  write("root/usr/lib/plugins/lto.so", "x");
  ASSERT_THAT(match().twins, SizeIs(1));
  EXPECT_EQ(match().twins[0].program, "/usr/bin/other");
  write("root/usr/lib/plugins/more.so", "x");
  expect_declined("wants nothing in /usr/lib/plugins, the root has something else there");
}

TEST_F(PackMatching, GuardsATwinByTheDirectoriesOfItsConditions) {
  write("root/usr/bin/ld", "the target's as", 0755);
  write("root/usr/lib/plugins/lto.so", "x");
  pack_.programs[0].conditions = {{.path = "/usr/lib/plugins", .content = {"lto.so"}},
                                  {.path = "/nosuch", .content = {}}};
  pack_.programs.push_back(pack_.programs[0]);
  pack_.programs[1].target = "/usr/bin/ld";
  pack_.programs[1].conditions.pop_back();
  const PackMatch found = match();
  ASSERT_THAT(found.twins, SizeIs(2));
  struct stat status {};
  ASSERT_EQ(::stat((directory_.path() / "root/usr/lib/plugins").c_str(), &status), 0);
  const Guard plugins{.path = "/usr/lib/plugins", .identity = FileIdentity::of(status), .library = {}};
  const Guard nosuch{.path = "/nosuch", .identity = {}, .library = {}};
  EXPECT_THAT(found.guards, ElementsAre(plugins, nosuch));
  EXPECT_THAT(found.twins[0].guards, ElementsAre(0, 1));
  EXPECT_THAT(found.twins[1].guards, ElementsAre(0));
}

TEST_F(PackMatching, AConditionMayBeOfAFilesBytes) {
  pack_.programs[0].conditions = {{.of = PackCondition::Of::File,
                                   .path = "/etc/ld.so.conf",
                                   .content = {std::string(Digest::of("usual\n").hex())}}};
  expect_declined("wants the usual /etc/ld.so.conf, the root has something else there");
  write("root/etc/ld.so.conf", "usual\n");
  EXPECT_THAT(match().twins, SizeIs(1));
  ASSERT_THAT(match().guards, SizeIs(1));
  EXPECT_EQ(match().guards[0].path, "/etc/ld.so.conf");
  const RootedDir root(directory_.path() / "root");
  const std::string before = seen_by_conditions(pack_, root);
  write("root/etc/ld.so.conf", "other\n");
  EXPECT_NE(seen_by_conditions(pack_, root), before);
  expect_declined("wants the usual /etc/ld.so.conf");
}

TEST_F(PackMatching, WhatConditionsSeeChangesWithTheDirectoryThoughItsNamesAreTheSame) {
  write("root/usr/lib/plugins/lto.so", "x");
  pack_.programs[0].conditions = {{.path = "/usr/lib/plugins", .content = {"lto.so"}}};
  const RootedDir root(directory_.path() / "root");
  const std::string before = seen_by_conditions(pack_, root);
  EXPECT_EQ(seen_by_conditions(pack_, root), before);
  fs::rename(directory_.path() / "root/usr/lib/plugins", directory_.path() / "old");
  write("root/usr/lib/plugins/lto.so", "x");
  EXPECT_NE(seen_by_conditions(pack_, root), before);
}

TEST_F(PackMatching, GivesOneTwinForAFileOfTwoNames) {
  fs::create_hard_link(directory_.path() / "root/usr/bin/as", directory_.path() / "root/usr/bin/as-2");
  pack_.programs.push_back(pack_.programs[0]);
  EXPECT_THAT(match().twins, SizeIs(1));
}

}  // namespace
}  // namespace slipway
