#include "runtime/mount_stubs.h"

#include <unistd.h>

#include <filesystem>

#include "base/error.h"
#include "base/files.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using Kind = MountStubs::Kind;

class Stubs : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(root_.path() / "etc");
    fs::create_directories(root_.path() / "var/lib");
    age("etc");
    age("var");
    age("");
  }
  // Times that nobody has by chance.
  void age(const std::string& path) {
    const struct timespec times[2] = {{1000, 111}, {2000, 222}};
    ASSERT_EQ(::utimensat(AT_FDCWD, (root_.path() / path).c_str(), times, 0), 0);
  }
  bool is_aged(const std::string& path) {
    struct stat status {};
    EXPECT_EQ(::stat((root_.path() / path).c_str(), &status), 0);
    return status.st_mtim.tv_sec == 2000 && status.st_mtim.tv_nsec == 222 && status.st_atim.tv_sec == 1000;
  }
  bool exists(const std::string& path) { return fs::exists(fs::symlink_status(root_.path() / path)); }
  TempDir root_;
  NullLogger logger_;
};

TEST_F(Stubs, AreThereAndThenGone) {
  const RootedDir root(root_.path());
  {
    MountStubs stubs(root, logger_);
    EXPECT_EQ(stubs.add("/proc", Kind::Directory), "/proc");
    EXPECT_EQ(stubs.add("/etc/resolv.conf", Kind::File), "/etc/resolv.conf");
    EXPECT_EQ(stubs.add("/run/secrets/a/token", Kind::File), "/run/secrets/a/token");
    EXPECT_EQ(stubs.add("/run/secrets/b", Kind::File), "/run/secrets/b");
    EXPECT_TRUE(fs::is_directory(root_.path() / "proc"));
    EXPECT_TRUE(fs::is_regular_file(root_.path() / "run/secrets/a/token"));
  }
  EXPECT_FALSE(exists("proc"));
  EXPECT_FALSE(exists("etc/resolv.conf"));
  EXPECT_FALSE(exists("run"));
  EXPECT_TRUE(is_aged("etc"));
  EXPECT_TRUE(is_aged(""));
}

TEST_F(Stubs, WhatWasThereStays) {
  write_file_atomic(root_.path() / "etc/hosts", "mine");
  age("etc");
  const RootedDir root(root_.path());
  { MountStubs(root, logger_).add("/etc/hosts", Kind::File); }
  EXPECT_EQ(read_file(root_.path() / "etc/hosts"), "mine");
  EXPECT_TRUE(is_aged("etc"));
}

TEST_F(Stubs, WhatTheStepPutBesideThemStaysWithItsTimes) {
  const RootedDir root(root_.path());
  struct stat changed {};
  {
    MountStubs stubs(root, logger_);
    stubs.add("/run/secrets/token", Kind::File);
    stubs.add("/etc/hosts", Kind::File);
    write_file_atomic(root_.path() / "run/mine", "x");
    const struct timespec times[2] = {{5000, 0}, {6000, 0}};
    write_file_atomic(root_.path() / "etc/mine", "x");
    ASSERT_EQ(::utimensat(AT_FDCWD, (root_.path() / "etc").c_str(), times, 0), 0);
  }
  EXPECT_TRUE(exists("run/mine"));
  EXPECT_FALSE(exists("run/secrets"));
  ASSERT_EQ(::stat((root_.path() / "etc").c_str(), &changed), 0);
  EXPECT_EQ(changed.st_mtim.tv_sec, 6000);
  EXPECT_FALSE(exists("etc/hosts"));
}

TEST_F(Stubs, FileThatTheStepReplacedStays) {
  const RootedDir root(root_.path());
  {
    MountStubs stubs(root, logger_);
    stubs.add("/etc/hosts", Kind::File);
    write_file_atomic(root_.path() / "etc/hosts", "written by the step");
  }
  EXPECT_EQ(read_file(root_.path() / "etc/hosts"), "written by the step");
}

TEST_F(Stubs, LinksLeadInsideTheRoot) {
  fs::create_symlink("../run/systemd/resolve/stub-resolv.conf", root_.path() / "etc/resolv.conf");
  fs::create_symlink("/../../../var", root_.path() / "away");
  const RootedDir root(root_.path());
  {
    MountStubs stubs(root, logger_);
    EXPECT_EQ(stubs.add("/etc/resolv.conf", Kind::File), "/run/systemd/resolve/stub-resolv.conf");
    EXPECT_EQ(stubs.add("/away/x", Kind::File), "/var/x");
    EXPECT_TRUE(exists("var/x"));
  }
  EXPECT_FALSE(exists("run"));
  EXPECT_FALSE(exists("var/x"));
  EXPECT_TRUE(is_aged("var"));
}

TEST_F(Stubs, LoopOfLinksIsRefused) {
  fs::create_symlink("b", root_.path() / "a");
  fs::create_symlink("a", root_.path() / "b");
  const RootedDir root(root_.path());
  MountStubs stubs(root, logger_);
  EXPECT_THROW(stubs.add("/a/x", Kind::File), std::exception);
}

TEST_F(Stubs, OtherKindInTheWayIsRefused) {
  write_file_atomic(root_.path() / "etc/file", "");
  const RootedDir root(root_.path());
  MountStubs stubs(root, logger_);
  EXPECT_THROW(stubs.add("/etc", Kind::File), InvalidInput);
  EXPECT_THROW(stubs.add("/etc/file", Kind::Directory), InvalidInput);
  EXPECT_THROW(stubs.add("/etc/file/below", Kind::File), InvalidInput);
}

}  // namespace
}  // namespace slipway
