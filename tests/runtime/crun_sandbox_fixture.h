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
#include "busybox_steps.h"
#include "qemu/emulator.h"
#include "runtime/confine.h"
#include "runtime/sandbox.h"

namespace slipway {
namespace test {
extern Confinement confinement;
}

namespace fs = std::filesystem;

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

class CrunSandboxTest : public testing::Test, protected BusyboxSteps {
 protected:
  CrunSandboxTest()
      : BusyboxSteps({"sh",   "cat",   "echo",  "env",   "id",    "ls",  "pwd",      "sleep",
                      "stat", "touch", "uname", "wc",    "grep",  "sed", "hostname", "mkdir",
                      "ip",   "true",  "chmod", "chown", "mount", "ps",  "yes",      "head"}) {}
  void SetUp() override {
    if (!find_program("crun")) GTEST_SKIP() << "crun is not installed";
    if (!prepare()) GTEST_SKIP() << "busybox is not installed";
    sandbox_ = make_crun_sandbox(work_.path() / "state", logger_);
  }
  void TearDown() override { expect_nothing_left(); }
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
};

}  // namespace slipway
