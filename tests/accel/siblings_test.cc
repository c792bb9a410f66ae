#include "accel/siblings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "made_up_root.h"

namespace slipway {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using testing::UnorderedElementsAre;

constexpr const char* kVersion = "4.9-1";

std::string arm_program() {
  return MadeUpElf{.machine = EM_AARCH64, .interpreter = "/lib/ld-linux-aarch64.so.1"}.bytes();
}
std::string host_program(MadeUpElf elf = {}) {
  if (elf.needed.empty()) elf.needed = {"libc.so.6"};
  return elf.bytes();
}
std::string library(std::vector<std::string> needed = {}) {
  return MadeUpElf{.interpreter = "", .needed = std::move(needed)}.bytes();
}

/// A pair of roots in which /usr/bin/sed has a twin; tests change one thing each.
class SiblingsTest : public testing::Test {
 protected:
  SiblingsTest() {
    for (const MadeUpRoot* root : {&target_, &base_, &host_}) {
      for (const char* directory : {"/usr/bin", "/usr/lib", "/usr/lib64"})
        std::filesystem::create_directories(root->at(directory));
      root->link("/bin", "usr/bin");
      root->link("/lib", "usr/lib");
      root->link("/lib64", "usr/lib64");
    }
    target_.install("libc6", "2.36", "arm64", {{"/usr/lib/aarch64-linux-gnu/libc.so.6", "its library"}});
    base_.install("libc6", "2.36", "arm64", {{"/usr/lib/aarch64-linux-gnu/libc.so.6", "its library"}});
    host_.install("libc6", "2.36", "amd64",
                  {{"/lib/x86_64-linux-gnu/libc.so.6", library({"ld-linux-x86-64.so.2"})},
                   {"/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", library()}});
    host_.link("/usr/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2");
  }
  void install_target(const std::string& bytes = arm_program(), const std::string& version = kVersion) {
    target_.install("sed", version, "arm64", {{"/bin/sed", bytes}});
  }
  void install_host(const std::string& bytes = host_program(), const std::string& version = kVersion) {
    host_.install("sed", version, "amd64", {{"/usr/bin/sed", bytes}});
  }
  /// What the step began with.
  void install_base() {
    has_base_ = true;
    base_.install("sed", kVersion, "arm64", {{"/bin/sed", arm_program()}});
  }
  AcceleratedRoot find(const char* target = "linux/arm64", const char* host = "linux/amd64") {
    return find_siblings({.target = target_.path(),
                          .base = has_base_ ? base_.path() : std::filesystem::path(),
                          .target_platform = Platform::parse(target),
                          .host = host_.path(),
                          .host_platform = Platform::parse(host),
                          .copies = copies(),
                          .source = "debian:12 (linux/amd64)"});
  }
  void expect_declined(std::string_view why) {
    const AcceleratedRoot found = find();
    EXPECT_THAT(found.twins, IsEmpty());
    EXPECT_THAT(found.declined, Contains(AllOf(StartsWith("/usr/bin/sed: "), HasSubstr(std::string(why)))));
  }

  std::filesystem::path copies() const { return copies_.path() / "copies"; }
  /// The paths of all files in what a step would see.
  std::vector<std::string> copied() const {
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(copies()))
      if (!entry.is_directory()) files.push_back(entry.path().native().substr(copies().native().size()));
    return files;
  }

  MadeUpRoot target_, base_, host_;
  TempDir copies_;
  bool has_base_ = false;
};

TEST_F(SiblingsTest, FindsATwinWithItsLoaderAndLibrariesWithoutLinks) {
  install_target();
  install_host();
  const AcceleratedRoot found = find();
  ASSERT_EQ(found.twins.size(), 1u) << testing::PrintToString(found.declined);
  const Twin& twin = found.twins[0];
  EXPECT_EQ(twin.target, "/usr/bin/sed");
  struct stat status {};
  ASSERT_EQ(::stat(target_.at("/usr/bin/sed").c_str(), &status), 0);
  EXPECT_EQ(twin.identity, FileIdentity::of(status));
  EXPECT_EQ(twin.package, "sed");
  EXPECT_EQ(twin.version, kVersion);
  EXPECT_EQ(twin.source, "debian:12 (linux/amd64)");
  EXPECT_EQ(found.trees.at(twin.tree), copies());
  EXPECT_EQ(twin.program, "/usr/bin/sed");
  EXPECT_EQ(twin.loader, "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2");
  EXPECT_EQ(twin.library_path, std::vector<std::string>{"/usr/lib/x86_64-linux-gnu"});
  EXPECT_EQ(found.machine, "aarch64");
}

TEST_F(SiblingsTest, FindsTheTwinOfWhatAStepLeftAsTheBaseImageHasIt) {
  install_base();
  install_target();
  install_host();
  EXPECT_EQ(find().twins.size(), 1u);
}

TEST_F(SiblingsTest, APackageThatAStepPatchedWithoutANewVersionHasNoTwin) {
  install_base();
  install_target(
      MadeUpElf{.machine = EM_AARCH64, .interpreter = "/lib/ld-linux-aarch64.so.1", .text = "patched"}
          .bytes());
  install_host();
  expect_declined("another than the base image's");
}

TEST_F(SiblingsTest, APackageThatAStepInstalledHasNoTwin) {
  install_base();
  target_.install("grep", "1", "arm64", {{"/usr/bin/grep", arm_program()}});
  host_.install("grep", "1", "amd64", {{"/usr/bin/grep", host_program()}});
  const AcceleratedRoot found = find();
  EXPECT_THAT(found.twins, IsEmpty());
  EXPECT_THAT(found.declined, Contains("grep: a step installed it"));
}

TEST_F(SiblingsTest, CopyTwinsWithTheirLoadersAndLibrariesAndNothingElse) {
  install_target();
  target_.install("grep", "1", "arm64", {{"/usr/bin/grep", arm_program()}});
  host_.install("grep", "2", "amd64", {{"/usr/bin/grep", host_program()}});
  host_.install("liba", "1", "amd64", {{"/usr/lib/x86_64-linux-gnu/liba.so.1", library()}});
  install_host(host_program({.text = "sed"}));
  const AcceleratedRoot found = find();
  EXPECT_THAT(found.trees, ElementsAre(copies()));
  EXPECT_THAT(copied(), UnorderedElementsAre("/usr/bin/sed", "/usr/lib/x86_64-linux-gnu/libc.so.6",
                                             "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"));
  for (const std::string& file : copied())
    EXPECT_EQ(read_file(copies().native() + file), read_file(host_.at(file)));
}

TEST_F(SiblingsTest, CopyALibraryUnderTheNameThatTheLoaderAsksFor) {
  install_target();
  target_.install("liba", "1", "arm64", {});
  host_.install("liba", "1", "amd64", {{"/usr/lib/x86_64-linux-gnu/liba.so.1.2.3", library()}});
  host_.link("/usr/lib/x86_64-linux-gnu/liba.so.1", "liba.so.1.2.3");
  install_host(host_program({.needed = {"liba.so.1"}}));
  ASSERT_EQ(find().twins.size(), 1u);
  EXPECT_EQ(read_file(copies() / "usr/lib/x86_64-linux-gnu/liba.so.1"), library());
}

TEST_F(SiblingsTest, CopyWhatTheCLibraryLoadsByItself) {
  install_target();
  install_host();
  // Whatever version the target has: it is not linked with.
  host_.install("libgcc-s1", "12", "amd64",
                {{"/usr/lib/x86_64-linux-gnu/libgcc_s.so.1", library({"libc.so.6"})}});
  ASSERT_EQ(find().twins.size(), 1u);
  EXPECT_THAT(copied(), Contains("/usr/lib/x86_64-linux-gnu/libgcc_s.so.1"));
}

TEST_F(SiblingsTest, DoNotCopyWhatIsNotItsPackagesOrNeedsMore) {
  install_target();
  install_host();
  host_.install("libgcc-s1", "12", "amd64", {{"/usr/lib/x86_64-linux-gnu/libgcc_s.so.1", library()}});
  host_.install("libnss", "1", "amd64",
                {{"/usr/lib/x86_64-linux-gnu/libnss_files.so.2", library({"libother.so"})}});
  host_.write("/usr/lib/x86_64-linux-gnu/libgcc_s.so.1", library({"libc.so.6"}));
  ASSERT_EQ(find().twins.size(), 1u);
  EXPECT_EQ(copied().size(), 3u);
}

TEST_F(SiblingsTest, CopiesAreForEverybodyWhateverTheUmask) {
  install_target();
  install_host();
  const mode_t before = ::umask(0077);
  find();
  ::umask(before);
  EXPECT_EQ(std::filesystem::status(copies()).permissions(), std::filesystem::perms(0755));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(copies()))
    EXPECT_EQ(entry.status().permissions(), std::filesystem::perms(0755)) << entry.path();
}

TEST_F(SiblingsTest, DeclinesAnotherVersion) {
  install_target();
  install_host(host_program(), "4.9-2");
  const AcceleratedRoot found = find();
  EXPECT_THAT(found.twins, IsEmpty());
  EXPECT_THAT(found.trees, IsEmpty());
  EXPECT_THAT(found.declined, Contains("sed: the target has 4.9-1, the host 4.9-2"));
}

TEST_F(SiblingsTest, TakesARebuildOfTheSameSource) {
  install_target(arm_program(), "4.9-1+b2");
  install_host();
  const AcceleratedRoot found = find();
  ASSERT_EQ(found.twins.size(), 1u) << testing::PrintToString(found.declined);
  EXPECT_EQ(found.twins[0].version, "4.9-1+b2");
}

TEST_F(SiblingsTest, DeclinesWhatOnlyLooksLikeARebuild) {
  install_target(arm_program(), "4.9-1+deb12u1");
  install_host();
  EXPECT_THAT(find().declined, Contains("sed: the target has 4.9-1+deb12u1, the host 4.9-1"));
}

TEST_F(SiblingsTest, DeclinesAFileThatIsNotItsPackagesInTheTarget) {
  install_target();
  install_host();
  target_.write("/usr/bin/sed", arm_program() + "changed", 0755);
  expect_declined("is not the file of its package sed");
}

TEST_F(SiblingsTest, DeclinesAFileThatIsNotItsPackagesInTheHost) {
  install_target();
  install_host();
  host_.write("/usr/bin/sed", host_program() + "changed", 0755);
  expect_declined("the host's file is not that of its package sed");
}

TEST_F(SiblingsTest, DeclinesAFileThatIsNotExecutableOrRunsWithOtherRights) {
  install_target();
  install_host();
  std::filesystem::permissions(target_.at("/usr/bin/sed"), std::filesystem::perms(0644));
  expect_declined("is not executable");
  std::filesystem::permissions(target_.at("/usr/bin/sed"), std::filesystem::perms(04755));
  expect_declined("runs with other rights");
}

TEST_F(SiblingsTest, DeclinesProgramsOfOtherMachines) {
  install_target(host_program());
  install_host();
  expect_declined("is not a program of the target's machine");
}

TEST_F(SiblingsTest, DeclinesAHostProgramOfAnotherMachine) {
  install_target();
  install_host(arm_program());
  expect_declined("the host's file is not a program of the host's machine");
}

TEST_F(SiblingsTest, DeclinesATwinWhoseLibraryIsMissing) {
  install_target();
  install_host(host_program({.needed = {"libc.so.6", "libmissing.so.1"}}));
  expect_declined("its library libmissing.so.1 is missing");
}

TEST_F(SiblingsTest, DeclinesATwinWhoseLibrarysLibraryIsMissing) {
  install_target();
  target_.install("liba", "1", "arm64", {});
  host_.install("liba", "1", "amd64", {{"/lib/x86_64-linux-gnu/liba.so.1", library({"libb.so.1"})}});
  install_host(host_program({.needed = {"liba.so.1"}}));
  expect_declined("its library libb.so.1 is missing");
}

TEST_F(SiblingsTest, DeclinesATwinWhoseLibraryIsOfAnotherVersionThanTheTargets) {
  install_target();
  target_.install("liba", "2", "arm64", {});
  host_.install("liba", "1", "amd64", {{"/lib/x86_64-linux-gnu/liba.so.1", library()}});
  install_host(host_program({.needed = {"liba.so.1"}}));
  expect_declined("its library liba.so.1 is of liba 1, the target has 2");
}

TEST_F(SiblingsTest, DeclinesATwinWhoseLibraryWasChanged) {
  install_target();
  install_host();
  host_.write("/usr/lib/x86_64-linux-gnu/libc.so.6", library() + "changed", 0755);
  expect_declined("its library libc.so.6 is not the file of its package libc6");
}

TEST_F(SiblingsTest, DeclinesALibraryOfNoPackage) {
  install_target();
  host_.write("/usr/lib/x86_64-linux-gnu/liba.so.1", library(), 0755);
  install_host(host_program({.needed = {"liba.so.1"}}));
  expect_declined("its library liba.so.1 is of no known package");
}

TEST_F(SiblingsTest, DeclinesALibraryThatIsALinkToAnotherDirectory) {
  install_target();
  host_.link("/usr/lib/x86_64-linux-gnu/liba.so.1", "/opt/liba.so.1");
  host_.write("/opt/liba.so.1", library(), 0755);
  install_host(host_program({.needed = {"liba.so.1"}}));
  expect_declined("is a link to another directory");
}

TEST_F(SiblingsTest, DeclinesALibraryPathThatComesBeforeOurs) {
  install_target();
  install_host(host_program({.rpath = "/opt/lib"}));
  expect_declined("has a library path of its own");
}

TEST_F(SiblingsTest, DeclinesAStaticTwin) {
  install_target();
  install_host(MadeUpElf{.interpreter = ""}.bytes());
  expect_declined("is static");
}

TEST_F(SiblingsTest, DeclinesATwinThatNamesTheHostsMachine) {
  install_target();
  install_host(host_program({.text = "made for X86_64"}));
  expect_declined("names a machine: \"made for X86_64\"");
}

TEST_F(SiblingsTest, DeclinesATwinOfAProgramThatNamesItsOwnMachine) {
  install_target(MadeUpElf{.machine = EM_AARCH64, .text = "made for arm64"}.bytes());
  install_host();
  expect_declined("names a machine: \"made for arm64\"");
}

TEST_F(SiblingsTest, TakesATwinThatSaysOfMachinesWhatTheTargetSays) {
  install_target(MadeUpElf{.machine = EM_AARCH64, .text = "filters: x86_64 arm64"}.bytes());
  install_host(host_program({.text = "filters: x86_64 arm64"}));
  EXPECT_EQ(find().twins.size(), 1u);
}

TEST_F(SiblingsTest, DeclinesWhatTheListExcludesAlsoUnderAnotherName) {
  const std::string arm = arm_program(), host = host_program();
  target_.install("coreutils", "9.1", "arm64",
                  {{"/usr/bin/uname", arm}, {"/usr/bin/ls", arm}, {"/usr/bin/cat", arm}});
  host_.install("coreutils", "9.1", "amd64",
                {{"/usr/bin/uname", host}, {"/usr/bin/ls", host}, {"/usr/bin/cat", host}});
  std::filesystem::remove(target_.at("/usr/bin/ls"));
  std::filesystem::create_hard_link(target_.at("/usr/bin/uname"), target_.at("/usr/bin/ls"));
  const AcceleratedRoot found = find();
  ASSERT_EQ(found.twins.size(), 1u);
  EXPECT_EQ(found.twins[0].target, "/usr/bin/cat");
  EXPECT_THAT(found.declined, Contains("/usr/bin/ls: is the same file as /usr/bin/uname"));
  EXPECT_THAT(found.declined, Contains(StartsWith("/usr/bin/uname: it asks for the machine")));
}

TEST_F(SiblingsTest, HasOneTwinForHardLinksOfOneFile) {
  const std::string arm = arm_program(), host = host_program();
  target_.install("bzip2", "1", "arm64", {{"/usr/bin/bzip2", arm}, {"/usr/bin/bzcat", arm}});
  host_.install("bzip2", "1", "amd64", {{"/usr/bin/bzip2", host}, {"/usr/bin/bzcat", host}});
  std::filesystem::remove(target_.at("/usr/bin/bzcat"));
  std::filesystem::create_hard_link(target_.at("/usr/bin/bzip2"), target_.at("/usr/bin/bzcat"));
  EXPECT_EQ(find().twins.size(), 1u);
}

TEST_F(SiblingsTest, DoesNotWaitForAFifoNorFollowLinksOutOfTheRoot) {
  install_target();
  install_host();
  std::filesystem::remove(target_.at("/usr/bin/sed"));
  ASSERT_EQ(::mkfifo(target_.at("/usr/bin/sed").c_str(), 0755), 0);
  expect_declined("is not a regular file");
  std::filesystem::remove(target_.at("/usr/bin/sed"));
  target_.link("/usr/bin/sed", "../../../../../../../../usr/bin/sed");
  EXPECT_THAT(find().twins, IsEmpty());
  std::filesystem::remove(target_.at("/usr/bin/sed"));
  target_.link("/usr/bin/sed", "/usr/bin/true");
  EXPECT_THAT(find().twins, IsEmpty());
}

TEST_F(SiblingsTest, DoesNotRunATwinThroughALinkOutOfTheHostsTree) {
  install_target();
  install_host();
  std::filesystem::remove(host_.at("/usr/lib64/ld-linux-x86-64.so.2"));
  host_.link("/usr/lib64/ld-linux-x86-64.so.2", "../../../../../../../../../lib64/ld-linux-x86-64.so.2");
  expect_declined("its loader /lib64/ld-linux-x86-64.so.2 is missing");
}

TEST_F(SiblingsTest, SurvivesDamagedPrograms) {
  install_host();
  const std::string whole = arm_program();
  for (std::size_t length = 4; length < whole.size(); length += 7) {
    target_.install("sed", "0", "none", {});  // another architecture: only rewrites the database
    const std::string part = whole.substr(0, length);
    target_.write("/usr/bin/sed", part, 0755);
    target_.write("/var/lib/dpkg/status",
                  "Package: sed\nStatus: install ok installed\nArchitecture: arm64\nVersion: 4.9-1\n");
    target_.write("/var/lib/dpkg/info/sed.list", "/usr/bin/sed\n");
    target_.write("/var/lib/dpkg/info/sed.md5sums",
                  checksum_of(ChecksumKind::Md5, part).hex + "  usr/bin/sed\n");
    find();
  }
}

TEST_F(SiblingsTest, HasNoTwinsForMachinesThatWereNotReviewed) {
  install_target();
  install_host();
  for (const char* platform : {"linux/arm/v7", "linux/s390x", "linux/mips64le"}) {
    const AcceleratedRoot found = find(platform);
    EXPECT_THAT(found.twins, IsEmpty()) << platform;
    EXPECT_EQ(found.declined.size(), 1u) << platform;
  }
}

TEST_F(SiblingsTest, HasNoTwinsWithoutADatabase) {
  install_host();
  std::filesystem::remove_all(target_.at("/var/lib/dpkg"));
  EXPECT_THAT(find().declined, Contains("the target's root has no package database that is known"));
}

}  // namespace
}  // namespace slipway
