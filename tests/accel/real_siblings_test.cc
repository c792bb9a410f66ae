// The search on real trees: two minimal Debian 12 systems, amd64 and arm64, with configured packages. They
// take minutes to make, so they are kept: tests/support/debian_siblings.py makes them.
#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "accel/guards.h"
#include "accel/siblings.h"
#include "base/files.h"
#include "base/strings.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::StartsWith;

std::string output_of(const std::string& command) {
  std::FILE* pipe = ::popen(("LC_ALL=C " + command + " 2>&1").c_str(), "re");
  std::string out(1 << 16, '\0');
  out.resize(std::fread(out.data(), 1, out.size(), pipe));
  ::pclose(pipe);
  return out;
}

class RealSiblings : public testing::Test {
 protected:
  void SetUp() override {
    const char* set = std::getenv("SLIPWAY_TEST_SIBLINGS");
    trees_ = set ? set : "/var/cache/slipway-test/siblings";
    if (!fs::exists(trees_ / "amd64/usr/bin/dash") || !fs::exists(trees_ / "arm64/usr/bin/dash"))
      GTEST_SKIP() << "no trees in " << trees_ << ": tests/support/debian_siblings.py makes them";
    if (Platform::host().architecture() != "amd64") GTEST_SKIP() << "the trees are for amd64 hosts";
    found_ = find_siblings({.target = trees_ / "arm64",
                            .target_platform = Platform::parse("linux/arm64"),
                            .host = trees_ / "amd64",
                            .host_platform = Platform::parse("linux/amd64"),
                            .copies = copies_.path(),
                            .source = "debian:12 (linux/amd64)"});
  }
  const Twin* twin(std::string_view target) const {
    for (const Twin& twin : found_.twins) {
      if (twin.target == target) return &twin;
    }
    return nullptr;
  }
  std::string natively(std::string_view target, const std::string& arguments) const {
    const Twin* found = twin(target);
    if (!found) return "no twin";
    const std::string tree = found_.trees.at(found->tree).native();
    std::vector<std::string> directories;
    for (const std::string& directory : found->library_path) directories.push_back(tree + directory);
    return output_of(concat(tree, found->loader, " --library-path ", join(directories, ":"), " --argv0 twin ",
                            tree, found->program, ' ', arguments));
  }
  std::string emulated(std::string_view target, const std::string& arguments) const {
    const std::string tree = trees_ / "arm64";
    return output_of(concat("qemu-aarch64-static -0 twin -L ", tree, ' ', tree, target, ' ', arguments));
  }
  void expect_same(std::string_view target, const std::string& arguments) const {
    EXPECT_EQ(natively(target, arguments), emulated(target, arguments)) << target << ' ' << arguments;
  }

  fs::path trees_;
  TempDir copies_;
  AcceleratedRoot found_;
};

TEST_F(RealSiblings, AreFoundForTheProgramsThatBuildsRun) {
  for (const char* path :
       {"/usr/bin/dash", "/usr/bin/sed", "/usr/bin/grep", "/usr/bin/mawk", "/usr/bin/ls", "/usr/bin/find",
        "/usr/bin/tar", "/usr/bin/gzip", "/usr/bin/xz", "/usr/bin/make", "/usr/bin/dpkg-deb"})
    EXPECT_TRUE(twin(path)) << path;
  for (const char* path : {"/usr/bin/bash", "/usr/bin/uname", "/usr/bin/arch", "/usr/bin/df", "/usr/bin/who",
                           "/usr/bin/stdbuf", "/usr/bin/dpkg", "/usr/bin/perl"})
    EXPECT_FALSE(twin(path)) << path;
  EXPECT_THAT(found_.declined, Contains(StartsWith("/usr/bin/stdbuf: ")));
}

TEST_F(RealSiblings, RestOnTheLibrariesOfTheTarget) {
  const RootedDir target(trees_ / "arm64");
  const auto packages = PackageDatabase::open(target, Platform::parse("linux/arm64"));
  ASSERT_TRUE(packages);
  const std::size_t before = found_.twins.size();
  add_guards(found_, target, *packages, EM_AARCH64);
  EXPECT_EQ(found_.twins.size(), before) << testing::PrintToString(found_.declined);
  std::vector<std::string> guards;
  for (const std::size_t i : twin("/usr/bin/sed")->guards) guards.push_back(found_.guards[i].path);
  EXPECT_THAT(guards, Contains("/lib/ld-linux-aarch64.so.1"));
  EXPECT_THAT(guards, Contains(testing::EndsWith("/libselinux.so.1")));
}

TEST_F(RealSiblings, TellTheTargetsMachineWhereItIsCompiledIn) {
  if (::access("/usr/bin/qemu-aarch64-static", X_OK) != 0)
    GTEST_SKIP() << "qemu-aarch64-static is not installed";
  const fs::path makefile = copies_.path() / "Makefile";
  write_file_atomic(makefile, "all:;@echo $(MAKE_HOST) $(.FEATURES)\n");
  EXPECT_THAT(natively("/usr/bin/make", "-f " + makefile.native()), StartsWith("aarch64-unknown-linux-gnu "));
  expect_same("/usr/bin/make", "-f " + makefile.native());
  for (const char* path : {"/usr/bin/make", "/usr/bin/dpkg-deb", "/usr/bin/dpkg-split"})
    expect_same(path, "--version");
}

}  // namespace
}  // namespace slipway
