#pragma once
// A root of busybox, and steps that a sandbox runs in it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "runtime/sandbox.h"

namespace slipway {

struct Output {
  int exit_code = 0;
  std::string out, err;
};

/// To be derived from by fixtures, which make the sandbox.
class BusyboxSteps {
 protected:
  explicit BusyboxSteps(std::initializer_list<const char*> applets) : applets_(applets) {}

  /// False if this machine has no busybox.
  bool prepare() {
    if (!install_busybox("/bin/busybox")) return false;
    std::filesystem::create_directory(scratch());
    spec_.id = "test-" + std::to_string(::getpid());
    spec_.rootfs = rootfs();
    spec_.scratch = scratch();
    spec_.env = {"PATH=/bin"};
    return true;
  }
  void expect_nothing_left() const {
    if (!sandbox_) return;  // skipped
    EXPECT_TRUE(std::filesystem::is_empty(scratch())) << "a mount or a file is left";
  }
  std::filesystem::path rootfs() const { return work_.path() / "rootfs"; }
  std::filesystem::path scratch() const { return work_.path() / "scratch"; }

  bool install_busybox(const std::filesystem::path& program) {
    namespace fs = std::filesystem;
    if (!fs::exists(program)) return false;
    fs::remove_all(rootfs());
    fs::create_directories(rootfs() / "bin");
    fs::create_directories(rootfs() / "etc");
    fs::copy_file(program, rootfs() / "bin/busybox");
    for (const char* applet : applets_) fs::create_symlink("busybox", rootfs() / "bin" / applet);
    std::ofstream(rootfs() / "etc/passwd")
        << "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n";
    std::ofstream(rootfs() / "etc/group") << "root:x:0:\nvideo:x:44:app\n";
    age();
    return true;
  }
  /// Gives everything one old time, so that a change shows.
  void age() const {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(rootfs())) age(entry.path());
    age(rootfs());
  }
  static void age(const std::filesystem::path& path) {
    const struct timespec times[2] = {{1000, 1}, {2000, 2}};
    ::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW);
  }

  Output run(std::vector<std::string> args, std::stop_token stop = {}) {
    spec_.args = std::move(args);
    Output output;
    output.exit_code =
        sandbox_
            ->run(
                spec_,
                [&](int stream, std::string_view bytes) { (stream == 1 ? output.out : output.err) += bytes; },
                stop)
            .exit_code;
    return output;
  }
  Output shell(const std::string& script) { return run({"/bin/sh", "-c", script}); }

  const std::vector<const char*> applets_;
  TempDir work_;
  NullLogger logger_;
  SandboxSpec spec_;
  std::unique_ptr<Sandbox> sandbox_;
};

}  // namespace slipway
