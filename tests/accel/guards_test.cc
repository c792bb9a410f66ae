#include "accel/guards.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loader_cache_file.h"
#include "made_up_root.h"

namespace slipway {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr const char* kLoader = "/lib/ld-linux-aarch64.so.1";
constexpr const char* kLibraries = "/lib/aarch64-linux-gnu/";

std::string library() { return MadeUpElf{.machine = EM_AARCH64, .interpreter = ""}.bytes(); }

/// A root with one program and its libraries; tests change one thing each.
class Guards : public testing::Test {
 protected:
  Guards() {
    root_.install("libc6", "2.36", "arm64", {{kLoader, library()}, {libc(), library()}});
    root_.install("libselinux1", "3.4", "arm64", {{selinux(), library()}});
    install("just a program");
  }
  static std::string libc() { return std::string(kLibraries) + "libc.so.6"; }
  static std::string selinux() { return std::string(kLibraries) + "libselinux.so.1"; }
  void install(const std::string& text) {
    root_.write("/usr/bin/sed",
                MadeUpElf{.machine = EM_AARCH64,
                          .interpreter = kLoader,
                          .needed = {"libselinux.so.1", "libc.so.6"},
                          .text = text}
                    .bytes(),
                0755);
  }
  AcceleratedRoot guard() {
    const RootedDir tree(root_.path());
    const auto packages = PackageDatabase::open(tree, Platform::parse("linux/arm64"));
    AcceleratedRoot found;
    found.twins.push_back({.target = "/usr/bin/sed", .program = "/usr/bin/sed"});
    add_guards(found, tree, *packages, EM_AARCH64);
    return found;
  }
  void expect_declined(std::string_view why) {
    const AcceleratedRoot found = guard();
    EXPECT_THAT(found.twins, IsEmpty());
    EXPECT_THAT(found.declined,
                ElementsAre(AllOf(StartsWith("/usr/bin/sed: "), HasSubstr(std::string(why)))));
  }
  std::vector<std::string> guarded() {
    const AcceleratedRoot found = guard();
    EXPECT_EQ(found.twins.size(), 1u) << testing::PrintToString(found.declined);
    std::vector<std::string> paths;
    if (!found.twins.empty())
      for (const std::size_t i : found.twins[0].guards)
        paths.push_back((found.guards.at(i).identity ? "" : "no ") + found.guards[i].path);
    return paths;
  }

  MadeUpRoot root_;
};

TEST_F(Guards, AreTheLoaderAndTheLibrariesOfTheTarget) {
  EXPECT_THAT(guarded(), ElementsAre(kLoader, libc(), selinux()));
  const AcceleratedRoot found = guard();
  struct stat status {};
  ASSERT_EQ(::stat(root_.at(libc()).c_str(), &status), 0);
  EXPECT_EQ(found.guards[1].identity, FileIdentity::of(status));
  EXPECT_EQ(found.guards[1].library, "libc.so.6");
  EXPECT_EQ(found.loader_cache->identity, std::nullopt);
}

TEST_F(Guards, DeclineALibraryThatIsNotItsPackages) {
  root_.write(selinux(), library() + "changed");
  expect_declined("libselinux.so.1 is not the file of its package libselinux1");
}

TEST_F(Guards, DeclineALibraryOfAPackageThatAStepPatchedWithoutANewVersion) {
  MadeUpRoot base;
  base.install("libselinux1", "3.4", "arm64", {{selinux(), library() + "unpatched"}});
  const RootedDir tree(root_.path()), before(base.path());
  const auto packages = PackageDatabase::open(tree, Platform::parse("linux/arm64")),
             of_base = PackageDatabase::open(before, Platform::parse("linux/arm64"));
  EXPECT_TRUE(packages->owner(selinux()));
  packages->hold_to(*of_base);
  EXPECT_FALSE(packages->owner(selinux()));
  EXPECT_TRUE(packages->owner(libc())) << "a package that the base has not got";
}

TEST_F(Guards, DeclineALibraryThatIsMissing) {
  std::filesystem::remove(root_.at(libc()));
  expect_declined("libc.so.6 is missing");
}

TEST_F(Guards, DeclineALibraryThatTheLoadersCacheHasElsewhere) {
  root_.write("/etc/ld.so.cache", loader_cache({{"libc.so.6", libc()}, {"libselinux.so.1", selinux()}}));
  EXPECT_EQ(guarded().size(), 3u);
  root_.write("/usr/local/lib/libselinux.so.1", library());
  root_.write("/etc/ld.so.cache", loader_cache({{"libselinux.so.1", "/usr/local/lib/libselinux.so.1"}}));
  expect_declined("libselinux.so.1 may be another by /etc/ld.so.cache");
  root_.write("/etc/ld.so.cache", "of another format");
  expect_declined("may be another by /etc/ld.so.cache");
}

TEST_F(Guards, AreWhereALibraryWouldComeFirst) {
  std::filesystem::remove(root_.at(selinux()));
  root_.install("libother", "1", "arm64", {{"/usr/lib/libselinux.so.1", library()}});
  EXPECT_THAT(guarded(), testing::Contains("no " + selinux()));
}

TEST_F(Guards, DeclineUsersOfOtherMeansThanFilesForProgramsThatLookThemUp) {
  root_.write("/etc/nsswitch.conf", "passwd: files systemd  # more\nhosts: files dns\n");
  EXPECT_EQ(guarded().size(), 3u);
  install(std::string("x\0getpwnam", 10));
  expect_declined("/etc/nsswitch.conf has users looked up by other means than files");
  root_.write("/etc/nsswitch.conf", "passwd:\t files # systemd\ngroup: files\nhosts: files dns\n");
  EXPECT_THAT(guarded(), testing::Contains("/etc/nsswitch.conf"));
  std::filesystem::remove(root_.at("/etc/nsswitch.conf"));
  EXPECT_THAT(guarded(), testing::Contains("no /etc/nsswitch.conf"));
}

}  // namespace
}  // namespace slipway
