#include "content/mount_environment.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/error.h"
#include "base/strings.h"

namespace slipway::testing_support {
namespace {

std::filesystem::path space;
std::string refusal = "the test environment was not set up";

class MountEnvironment final : public testing::Environment {
 public:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "slipway-test-XXXXXX").native();
    if (!::mkdtemp(pattern.data())) throw SystemError(errno, "mkdtemp", pattern);
    space = pattern;
    refusal.clear();
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", space.c_str(), "tmpfs", 0, "mode=0755") != 0)
      refusal = std::strerror(errno);
    mounted_ = refusal.empty();
  }
  void TearDown() override {
    if (mounted_) ::umount2(space.c_str(), MNT_DETACH);
    std::error_code ignored;
    std::filesystem::remove_all(space, ignored);
  }

 private:
  bool mounted_ = false;
};

[[maybe_unused]] const auto* const kEnvironment = testing::AddGlobalTestEnvironment(new MountEnvironment);

}  // namespace

const std::filesystem::path& test_space() { return space; }
const std::string& no_mounts_because() { return refusal; }

std::filesystem::path small_disk(std::size_t bytes) {
  std::string pattern = (space / "disk-XXXXXX").native();
  if (!::mkdtemp(pattern.data())) throw SystemError(errno, "mkdtemp", pattern);
  if (::mount("tmpfs", pattern.c_str(), "tmpfs", 0, concat("mode=0755,size=", bytes).c_str()) != 0)
    throw SystemError(errno, "mount", pattern);
  return pattern;
}

}  // namespace slipway::testing_support
