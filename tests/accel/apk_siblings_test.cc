// The search for twins and what guards them, in roots of Alpine's kind: apk's database, musl's loader.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "accel/guards.h"
#include "accel/neutral_packages.h"
#include "accel/siblings.h"
#include "loader_cache_file.h"
#include "made_up_root.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using testing::UnorderedElementsAre;

constexpr const char* kHostLoader = "/lib/ld-musl-x86_64.so.1";
constexpr const char* kTargetLoader = "/lib/ld-musl-aarch64.so.1";
constexpr const char* kPathFile = "/etc/ld-musl-aarch64.path";

std::string host_program(std::vector<std::string> needed = {}) {
  needed.push_back("libc.musl-x86_64.so.1");
  return MadeUpElf{.interpreter = kHostLoader, .needed = std::move(needed)}.bytes();
}
std::string target_program(std::vector<std::string> needed = {}, const std::string& text = "a program") {
  needed.push_back("libc.musl-aarch64.so.1");
  return MadeUpElf{
      .machine = EM_AARCH64, .interpreter = kTargetLoader, .needed = std::move(needed), .text = text}
      .bytes();
}
std::string host_library() {
  return MadeUpElf{.interpreter = "", .needed = {"libc.musl-x86_64.so.1"}}.bytes();
}
std::string target_library() { return MadeUpElf{.machine = EM_AARCH64, .interpreter = ""}.bytes(); }

/// A pair of roots in which /bin/busybox has a twin; tests change one thing each.
class ApkSiblings : public testing::Test {
 protected:
  ApkSiblings() {
    target_.install_apk("musl", "1.2.5-r0", "aarch64", {{kTargetLoader, target_library()}});
    host_.install_apk("musl", "1.2.5-r0", "x86_64", {{kHostLoader, host_library()}});
    host_.link("/lib/libc.musl-x86_64.so.1", "ld-musl-x86_64.so.1");
  }
  void install_target(const std::string& version = "1.36.1-r29") {
    target_.install_apk("busybox", version, "aarch64", {{"/bin/busybox", target_program()}});
    target_.link("/bin/sh", "/bin/busybox");
  }
  void install_host(const std::string& version = "1.36.1-r29") {
    host_.install_apk("busybox", version, "x86_64", {{"/bin/busybox", host_program()}});
  }
  AcceleratedRoot find() {
    return find_siblings({.target = target_.path(),
                          .target_platform = Platform::parse("linux/arm64"),
                          .host = host_.path(),
                          .host_platform = Platform::parse("linux/amd64"),
                          .copies = copies_.path() / "copies",
                          .source = "alpine:3 (linux/amd64)"});
  }
  std::vector<std::string> copied() const {
    const fs::path copies = copies_.path() / "copies";
    std::vector<std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(copies))
      if (!entry.is_directory()) files.push_back(entry.path().native().substr(copies.native().size()));
    return files;
  }

  MadeUpRoot target_, host_;
  TempDir copies_;
};

TEST_F(ApkSiblings, BusyboxHasOneTwinForItsNamesButThoseThatAreTheMachines) {
  install_target();
  install_host();
  const AcceleratedRoot found = find();
  ASSERT_EQ(found.twins.size(), 1u) << testing::PrintToString(found.declined);
  const Twin& twin = found.twins[0];
  EXPECT_EQ(twin.target, "/bin/busybox");
  EXPECT_EQ(twin.package + " " + twin.version, "busybox 1.36.1-r29");
  EXPECT_EQ(twin.multi_call, "busybox");
  for (const char* name : {"uname", "arch", "awk"}) EXPECT_THAT(twin.declined_names, Contains(name));
  EXPECT_EQ(twin.loader, kHostLoader);
  EXPECT_THAT(twin.library_path, IsEmpty());
  EXPECT_THAT(copied(), UnorderedElementsAre("/bin/busybox", kHostLoader));
  EXPECT_EQ(found.machine, "aarch64");
}

TEST_F(ApkSiblings, LibrariesAreFoundWhereMuslLooksForThem) {
  const std::string library = "/usr/lib/libpcre2-8.so.0";
  for (MadeUpRoot* root : {&target_, &host_}) {
    const std::string port = root == &target_ ? "aarch64" : "x86_64";
    root->install_apk("pcre2", "10.43-r0", port,
                      {{library, root == &target_ ? target_library() : host_library()}});
    root->install_apk("libgcc", "13", port, {{"/usr/lib/libgcc_s.so.1", host_library()}});
  }
  target_.install_apk("grep", "3.11-r0", "aarch64", {{"/bin/grep", target_program({"libpcre2-8.so.0"})}});
  host_.install_apk("grep", "3.11-r0", "x86_64", {{"/bin/grep", host_program({"libpcre2-8.so.0"})}});
  const AcceleratedRoot found = find();
  ASSERT_EQ(found.twins.size(), 1u) << testing::PrintToString(found.declined);
  EXPECT_EQ(found.twins[0].library_path, std::vector<std::string>{"/usr/lib"});
  // musl loads nothing by itself.
  EXPECT_THAT(copied(), UnorderedElementsAre("/bin/grep", kHostLoader, library));
}

TEST_F(ApkSiblings, DeclineAnotherVersionAlsoOfARebuild) {
  install_target("1.36.1-r29");
  install_host("1.36.1-r29+b1");
  EXPECT_THAT(find().declined, Contains("busybox: the target has 1.36.1-r29, the host 1.36.1-r29+b1"));
}

TEST_F(ApkSiblings, DeclineAFileThatIsNotItsPackagesOnEitherSide) {
  install_target();
  install_host();
  host_.write("/bin/busybox", host_program() + "changed", 0755);
  EXPECT_THAT(find().declined, Contains("/bin/busybox: the host's file is not that of its package busybox"));
  target_.write("/bin/busybox", target_program() + "changed", 0755);
  EXPECT_THAT(find().declined, Contains("/bin/busybox: is not the file of its package busybox"));
}

TEST_F(ApkSiblings, DeclineTheMuslOfAnotherVersion) {
  install_target();
  install_host();
  std::string installed = read_file(target_.at("/lib/apk/db/installed"));
  installed.replace(installed.find("1.2.5-r0"), 8, "1.2.5-r1");
  target_.write("/lib/apk/db/installed", installed);
  const AcceleratedRoot found = find();
  EXPECT_THAT(found.twins, IsEmpty());
  EXPECT_THAT(found.declined,
              Contains("/bin/busybox: twin: its loader is of musl 1.2.5-r0, the target has 1.2.5-r1"));
}

TEST_F(ApkSiblings, DeclineAHostWithDebiansDatabase) {
  install_target();
  fs::remove_all(host_.at("/lib/apk"));
  host_.install("busybox", "1.36.1-r29", "amd64", {{"/bin/busybox", host_program()}});
  EXPECT_THAT(find().declined, ElementsAre("the host's root has no package database of the target's kind"));
}

class ApkGuards : public ApkSiblings {
 protected:
  static std::string library() { return "/usr/lib/libacl.so.1"; }
  ApkGuards() {
    target_.install_apk("acl-libs", "2.3-r0", "aarch64", {{library(), target_library()}});
    install("a program");
    fs::create_directories(target_.at("/usr/local/lib"));
  }
  void install(const std::string& text) const {
    target_.write("/bin/tar", target_program({"libacl.so.1"}, text), 0755);
  }
  AcceleratedRoot guard() {
    const RootedDir tree(target_.path());
    const auto packages = PackageDatabase::open(tree, Platform::parse("linux/arm64"));
    AcceleratedRoot found;
    found.twins.push_back({.target = "/bin/tar", .program = "/bin/tar"});
    add_guards(found, tree, *packages, EM_AARCH64);
    return found;
  }
  std::vector<std::string> guarded() {
    const AcceleratedRoot found = guard();
    EXPECT_EQ(found.twins.size(), 1u) << testing::PrintToString(found.declined);
    std::vector<std::string> paths;
    if (!found.twins.empty())
      for (const std::size_t i : found.twins[0].guards) {
        paths.push_back((found.guards.at(i).identity ? "" : "no ") + found.guards[i].path);
        EXPECT_EQ(found.guards[i].library, "") << "musl asks no cache";
      }
    return paths;
  }
};

TEST_F(ApkGuards, AreLoaderLibrariesTheirEarlierPlacesAndMuslsPathFile) {
  EXPECT_THAT(guarded(), UnorderedElementsAre(std::string("no ") + kPathFile, kTargetLoader, library(),
                                              "no /lib/libacl.so.1", "no /usr/local/lib/libacl.so.1"));
}

TEST_F(ApkGuards, DeclineARootWhoseLoaderIsToldWhereToLook) {
  target_.write(kPathFile, "/opt/lib\n");
  const AcceleratedRoot found = guard();
  EXPECT_THAT(found.twins, IsEmpty());
  EXPECT_THAT(found.declined,
              ElementsAre("/bin/tar: its loader looks for libraries by " + std::string(kPathFile)));
}

TEST_F(ApkGuards, AreNoneOfWhatOnlyGlibcReads) {
  target_.write("/etc/ld.so.cache", loader_cache({{"libacl.so.1", "/opt/libacl.so.1"}}));
  target_.write("/etc/nsswitch.conf", "passwd: files systemd\n");
  install(std::string("x\0getpwnam", 10));
  EXPECT_EQ(guarded().size(), 5u);
}

TEST_F(ApkGuards, DeclineALibraryThatIsNotItsPackages) {
  target_.write(library(), target_library() + "changed");
  EXPECT_THAT(guard().declined, ElementsAre(AllOf(StartsWith("/bin/tar: "),
                                                  HasSubstr("libacl.so.1 is not the file of its package"))));
}

TEST(ReviewedApkPackages, HaveNoProgramWhoseOutputIsTheMachine) {
  const auto& packages = NeutralPackages::reviewed().of(PackageDatabase::Kind::Apk);
  for (const auto& [package, path] :
       {std::pair("busybox", "/bin/busybox"), std::pair("coreutils", "/bin/coreutils")}) {
    const NeutralProgram* program = packages.at(package).program(path, {"arm64", "amd64"});
    ASSERT_TRUE(program) << path;
    EXPECT_EQ(program->multi_call, package);
    for (const char* name : {"uname", "arch", "seq"})
      EXPECT_THAT(program->declined_names, Contains(name)) << path;
  }
  EXPECT_TRUE(packages.at("bash").exclusion("/bin/bash"));
  EXPECT_TRUE(packages.at("coreutils").exclusion("/usr/libexec/coreutils/libstdbuf.so"));
  for (const char* name : {"make", "patch", "gawk"})
    EXPECT_TRUE(packages.at(name).program(std::string("/usr/bin/") + name, {"arm64", "amd64"})->is_retold)
        << name;
  for (const char* name : {"util-linux", "perl", "python3", "gcc"})
    EXPECT_FALSE(packages.contains(name)) << name;
}

}  // namespace
}  // namespace slipway
