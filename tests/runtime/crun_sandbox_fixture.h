#pragma once
// Steps of busybox in real containers, in the namespaces that main() (confined_main.cc) has put us into.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/subprocess.h"
#include "qemu/emulator.h"
#include "runtime/confine.h"
#include "runtime/sandbox.h"

namespace slipway {
namespace test {
extern Confinement confinement;
}

namespace fs = std::filesystem;

inline constexpr const char* kApplets[] = {
    "sh",   "cat", "echo",     "env",   "id", "ls",   "pwd",   "sleep", "stat",  "touch", "uname", "wc",
    "grep", "sed", "hostname", "mkdir", "ip", "true", "chmod", "chown", "mount", "ps",    "yes",   "head"};

struct Output {
  int exit_code = 0;
  std::string out, err;
};

// Every path of a tree with its type, owner, mode and times: what a layer would be made of.
inline std::string listing(const fs::path& root) {
  std::ostringstream lines;
  std::vector<fs::path> paths{root};
  for (const auto& entry : fs::recursive_directory_iterator(root)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  for (const fs::path& path : paths) {
    struct stat status {};
    ::lstat(path.c_str(), &status);
    lines << path.lexically_relative(root).native() << ' ' << status.st_mode << ' ' << status.st_uid << ' '
          << status.st_mtim.tv_sec << '.' << status.st_mtim.tv_nsec << '\n';
  }
  return lines.str();
}

// Processes of our pid namespace whose command line holds `text`.
inline int count_processes(std::string_view text) {
  int count = 0;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "cmdline");
    std::string line((std::istreambuf_iterator<char>(file)), {});
    if (line.find(text) != std::string::npos) ++count;
  }
  return count;
}

class CrunSandboxTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!find_program("crun")) GTEST_SKIP() << "crun is not installed";
    if (!install_busybox("/bin/busybox")) GTEST_SKIP() << "busybox is not installed";
    sandbox_ = make_crun_sandbox(work_.path() / "state", logger_);
    fs::create_directory(work_.path() / "scratch");
    spec_.id = "test-" + std::to_string(::getpid());
    spec_.rootfs = rootfs();
    spec_.scratch = work_.path() / "scratch";
    spec_.env = {"PATH=/bin"};
  }
  void TearDown() override {
    if (!sandbox_) return;
    EXPECT_TRUE(fs::is_empty(work_.path() / "scratch")) << "a mount or a file is left";
  }
  fs::path rootfs() const { return work_.path() / "rootfs"; }
  bool install_busybox(const fs::path& program) {
    if (!fs::exists(program)) return false;
    fs::remove_all(rootfs());
    fs::create_directories(rootfs() / "bin");
    fs::create_directories(rootfs() / "etc");
    fs::copy_file(program, rootfs() / "bin/busybox");
    for (const char* applet : kApplets) fs::create_symlink("busybox", rootfs() / "bin" / applet);
    std::ofstream(rootfs() / "etc/passwd")
        << "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n";
    std::ofstream(rootfs() / "etc/group") << "root:x:0:\nvideo:x:44:app\n";
    for (const auto& entry : fs::recursive_directory_iterator(rootfs())) age(entry.path());
    age(rootfs());
    return true;
  }
  static void age(const fs::path& path) {
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
  // False with the reason said if this machine cannot emulate.
  bool become_arm64() {
    const char* cache = std::getenv("SLIPWAY_TEST_CACHE");
    const fs::path busybox = fs::path(cache ? cache : "/var/cache/slipway-test") / "arm64/busybox";
    if (!fs::exists(busybox)) return false;
    install_busybox(busybox);
    EmulatorSearch search = EmulatorSearch::from_environment();
    search.ignore_host_binfmt = true;
    try {
      spec_.execution =
          choose_execution(Platform::host(), Platform::parse("linux/arm64"), EmulationPolicy::Auto, search);
    } catch (const HostError&) {
      return false;
    }
    return spec_.execution.kind == Execution::Kind::PrivateBinfmt;
  }

  TempDir work_;
  NullLogger logger_;
  SandboxSpec spec_;
  std::unique_ptr<Sandbox> sandbox_;
};

}  // namespace slipway
