#include "accel/packages.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "made_up_root.h"

namespace slipway {
namespace {

const Platform kArm = Platform::parse("linux/arm64");

std::unique_ptr<PackageDatabase> open(const RootedDir& root) { return PackageDatabase::open(root, kArm); }

TEST(DpkgDatabase, KnowsWhosAFileIsAndItsChecksum) {
  MadeUpRoot made;
  made.install("sed", "4.9-1", "arm64", {{"/usr/bin/sed", "the program"}});
  made.install("libacl1", "2.3.1-3", "arm64", {{"/usr/lib/aarch64-linux-gnu/libacl.so.1", "a library"}});
  const RootedDir root(made.path());
  const auto database = open(root);
  ASSERT_TRUE(database);
  EXPECT_EQ(database->kind(), PackageDatabase::Kind::Dpkg);
  const OwnedFile expected{.package = {"sed", "4.9-1", "arm64"},
                           .checksum = checksum_of(ChecksumKind::Md5, "the program")};
  EXPECT_EQ(database->file("sed", "/usr/bin/sed"), expected);
  EXPECT_EQ(database->owner("/usr/bin/sed"), expected);
  EXPECT_EQ(database->owner("/usr/lib/aarch64-linux-gnu/libacl.so.1")->package.name, "libacl1");
  EXPECT_FALSE(database->file("sed", "/usr/bin/awk"));
  EXPECT_FALSE(database->file("nothing", "/usr/bin/sed"));
  EXPECT_FALSE(database->owner("/usr/bin/../bin/sed"));
}

TEST(DpkgDatabase, KnowsPathsOfBothStylesWhereBinIsALink) {
  MadeUpRoot made;
  made.link("/bin", "usr/bin");
  std::filesystem::create_directories(made.at("/usr/bin"));
  made.install("sed", "4.9-1", "arm64", {{"/bin/sed", "the program"}});
  made.install("grep", "3.8-5", "arm64", {{"/usr/bin/grep", "another"}});
  const RootedDir root(made.path());
  const auto database = open(root);
  ASSERT_TRUE(database);
  for (const char* path : {"/bin/sed", "/usr/bin/sed"}) EXPECT_TRUE(database->file("sed", path)) << path;
  for (const char* path : {"/bin/grep", "/usr/bin/grep"}) EXPECT_TRUE(database->file("grep", path)) << path;
  EXPECT_TRUE(database->files("sed").contains("/usr/bin/sed"));
}

TEST(DpkgDatabase, DoesNotMixPathsWhereBinIsADirectory) {
  MadeUpRoot made;
  made.install("sed", "4.9-1", "arm64", {{"/bin/sed", "the program"}});
  const RootedDir root(made.path());
  EXPECT_FALSE(open(root)->file("sed", "/usr/bin/sed"));
}

TEST(DpkgDatabase, DoesNotKnowDivertedPathsOnEitherSide) {
  MadeUpRoot made;
  made.link("/bin", "usr/bin");
  std::filesystem::create_directories(made.at("/usr/bin"));
  made.install("dash", "0.5", "arm64", {{"/bin/sh", "x"}, {"/bin/dash", "x"}, {"/bin/sh.distrib", "x"}});
  made.write("/var/lib/dpkg/diversions", "/bin/sh\n/bin/sh.distrib\ndash\n");
  const RootedDir root(made.path());
  const auto database = open(root);
  ASSERT_TRUE(database);
  EXPECT_TRUE(database->file("dash", "/usr/bin/dash"));
  EXPECT_FALSE(database->file("dash", "/usr/bin/sh"));
  EXPECT_FALSE(database->file("dash", "/bin/sh.distrib"));
}

TEST(DpkgDatabase, KnowsNothingIfTheDiversionsAreDamaged) {
  MadeUpRoot made;
  made.install("dash", "0.5", "arm64", {{"/bin/dash", "x"}});
  made.write("/var/lib/dpkg/diversions", "/bin/sh\n/bin/sh.distrib\n");
  const RootedDir root(made.path());
  EXPECT_FALSE(open(root));
}

TEST(DpkgDatabase, KnowsOnlyPackagesOfTheRootsArchitecture) {
  MadeUpRoot made;
  made.install("sed", "4.9-1", "amd64", {{"/usr/bin/sed", "the program"}});
  made.install("grep", "3.8-5", "arm64", {{"/usr/bin/grep", "another"}});
  made.install("libc6", "2.36", "amd64", {{"/lib/x86_64-linux-gnu/libc.so.6", "x"}});
  made.install("libc6", "2.36", "arm64", {{"/lib/aarch64-linux-gnu/libc.so.6", "y"}});
  const RootedDir root(made.path());
  const auto database = open(root);
  ASSERT_TRUE(database);
  EXPECT_FALSE(database->package("sed"));
  EXPECT_TRUE(database->file("libc6", "/lib/aarch64-linux-gnu/libc.so.6"));
  EXPECT_FALSE(database->file("libc6", "/lib/x86_64-linux-gnu/libc.so.6"));
}

TEST(DpkgDatabase, DoesNotKnowHalfInstalledPackages) {
  MadeUpRoot made;
  made.install("grep", "3.8-5", "arm64", {{"/usr/bin/grep", "another"}});
  made.write("/var/lib/dpkg/status",
             "Package: sed\nStatus: install ok half-configured\nArchitecture: arm64\nVersion: 1\n\n"
             "Package: grep\nStatus: install ok installed\nArchitecture: arm64\nVersion: 1\n");
  const RootedDir root(made.path());
  EXPECT_FALSE(open(root)->package("sed"));
  EXPECT_TRUE(open(root)->package("grep"));
}

TEST(DpkgDatabase, DoesNotKnowAPackageThatIsThereTwice) {
  MadeUpRoot made;
  made.install("sed", "1", "arm64", {{"/usr/bin/sed", "x"}});
  made.install("sed", "2", "arm64", {{"/usr/bin/sed", "x"}});
  made.install("grep", "1", "arm64", {});
  const RootedDir root(made.path());
  EXPECT_FALSE(open(root)->package("sed"));
}

TEST(DpkgDatabase, DoesNotKnowAFileThatAnotherPackageTookOver) {
  MadeUpRoot made;
  made.install("coreutils", "9.1", "arm64", {{"/usr/bin/hello", "x"}, {"/usr/bin/ls", "y"}});
  made.write("/var/lib/dpkg/info/coreutils.list", "/usr/bin/ls\n");
  const RootedDir root(made.path());
  const auto database = open(root);
  EXPECT_TRUE(database->file("coreutils", "/usr/bin/ls"));
  EXPECT_FALSE(database->file("coreutils", "/usr/bin/hello"));
}

TEST(DpkgDatabase, ReadsDistrolessImages) {
  MadeUpRoot made;
  made.write("/var/lib/dpkg/status.d/libssl3", "Package: libssl3\nArchitecture: arm64\nVersion: 3.0\n");
  made.write("/var/lib/dpkg/status.d/libssl3.md5sums",
             "d41d8cd98f00b204e9800998ecf8427e  usr/lib/aarch64-linux-gnu/libssl.so.3\n");
  const RootedDir root(made.path());
  const auto owned = open(root)->owner("/usr/lib/aarch64-linux-gnu/libssl.so.3");
  ASSERT_TRUE(owned);
  EXPECT_EQ(owned->package.version, "3.0");
}

TEST(DpkgDatabase, TakesMalformedTextForNotKnown) {
  MadeUpRoot made;
  made.install("grep", "1", "arm64", {{"/usr/bin/grep", "x"}});
  made.write("/var/lib/dpkg/status",
             std::string(1, '\0') + "\xff junk\n: :\nPackage\n\nPackage: ../../x\nVersion: 1\n\n" +
                 "Package: grep\nStatus: install ok installed\nArchitecture: arm64\nVersion: 1\n");
  made.write(
      "/var/lib/dpkg/info/grep.md5sums",
      "short\nzzzz8cd98f00b204e9800998ecf8427e  usr/bin/grep\nd41d8cd98f00b204e9800998ecf8427e  ../x\n");
  const RootedDir root(made.path());
  const auto database = open(root);
  ASSERT_TRUE(database);
  EXPECT_TRUE(database->package("grep"));
  EXPECT_TRUE(database->files("grep").empty());
}

TEST(PackageDatabase, IsNoneWhereThereIsNoneItIsHugeOrALinkOutOfTheRoot) {
  MadeUpRoot made;
  const RootedDir root(made.path());
  EXPECT_FALSE(open(root));
  made.write("/var/lib/dpkg/status", "");
  ASSERT_EQ(::truncate(made.at("/var/lib/dpkg/status").c_str(), 100 << 20), 0);
  EXPECT_FALSE(open(root));
  std::filesystem::remove(made.at("/var/lib/dpkg/status"));
  made.link("/var/lib/dpkg/status", "/../../../../../../../../var/lib/dpkg/status");
  EXPECT_FALSE(open(root));
  std::filesystem::remove(made.at("/var/lib/dpkg/status"));
  ASSERT_EQ(::mkfifo(made.at("/var/lib/dpkg/status").c_str(), 0600), 0);
  EXPECT_FALSE(open(root));
}

constexpr const char* kApk =
    "C:Q1abc=\nP:busybox\nV:1.36.1-r29\nA:aarch64\nF:bin\nR:busybox\na:0:0:755\nZ:"
    "Q1AKeaWMvb6DN8wYUIvX3FJGHZYf8=\n"
    "F:etc\nR:securetty\n\nP:musl\nV:1.2.5\nA:x86_64\nF:lib\nR:libc.so\nZ:Q1AKeaWMvb6DN8wYUIvX3FJGHZYf8=\n\n";

class ApkDatabase : public testing::TestWithParam<const char*> {};

TEST_P(ApkDatabase, KnowsWhosAFileIsAndItsChecksum) {
  MadeUpRoot made;
  made.write(GetParam(), kApk);
  const RootedDir root(made.path());
  const auto database = open(root);
  ASSERT_TRUE(database);
  EXPECT_EQ(database->kind(), PackageDatabase::Kind::Apk);
  const auto owned = database->file("busybox", "/bin/busybox");
  ASSERT_TRUE(owned);
  EXPECT_EQ(owned->package, (Package{"busybox", "1.36.1-r29", "aarch64"}));
  EXPECT_EQ(owned->checksum.kind, ChecksumKind::Sha1);
  EXPECT_EQ(owned->checksum.hex, to_hex(base64_decode("AKeaWMvb6DN8wYUIvX3FJGHZYf8=")));
  EXPECT_FALSE(database->file("busybox", "/etc/securetty"));  // has no checksum
  EXPECT_FALSE(database->package("musl"));                    // of another architecture
}

INSTANTIATE_TEST_SUITE_P(Places, ApkDatabase,
                         testing::Values("/lib/apk/db/installed", "/usr/lib/apk/db/installed"),
                         [](const auto& row) { return row.index == 0 ? "Old" : "New"; });

TEST(ApkDatabase, TakesOtherChecksumsAndDamagedPackagesForNotKnown) {
  MadeUpRoot made;
  made.write("/lib/apk/db/installed",
             "P:sed\nV:1\nA:aarch64\nF:bin\nR:sed\nZ:Q2abcdefgh\nR:../x\nZ:Q1AKeaWMvb6DN8wYUIvX3FJGHZYf8=\n\n"
             "P:grep\nP:grep2\nV:1\nA:aarch64\n\nno field\nP:tar\nV:1\nA:aarch64\n\n");
  const RootedDir root(made.path());
  const auto database = open(root);
  ASSERT_TRUE(database);
  EXPECT_FALSE(database->file("sed", "/bin/sed"));
  EXPECT_EQ(database->files("sed").size(), 1u);
  EXPECT_FALSE(database->package("grep"));
  EXPECT_FALSE(database->package("tar"));
}

TEST(DatabaseState, ChangesWithTheDatabaseOnly) {
  MadeUpRoot made;
  made.install("grep", "1", "arm64", {});
  const RootedDir root(made.path());
  const DatabaseState before = DatabaseState::of(root);
  made.write("/etc/motd", "hello");
  EXPECT_EQ(DatabaseState::of(root), before);
  made.install("sed", "1", "arm64", {});
  EXPECT_NE(DatabaseState::of(root), before);
}

TEST(CleanPath, IsAbsoluteAndPlain) {
  for (const char* path : {"/bin/sed", "/usr/bin/[", "/a/.b/..c"}) EXPECT_TRUE(is_clean_path(path)) << path;
  for (const char* path : {"", "/", "bin/sed", "/bin//sed", "/bin/", "/./a", "/a/..", "/a\nb"})
    EXPECT_FALSE(is_clean_path(path)) << path;
}

}  // namespace
}  // namespace slipway
