#pragma once
// Becoming somebody else for a test.
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace slipway::test {

inline constexpr unsigned kTestUid = 12345;  // nobody has it

inline bool drop_to_test_user() {
  // A process that changed its user is not dumpable, and its /proc files belong to root; one that the user
  // started is.
  return ::setgroups(0, nullptr) == 0 && ::setresgid(kTestUid, kTestUid, kTestUid) == 0 &&
         ::setresuid(kTestUid, kTestUid, kTestUid) == 0 && ::prctl(PR_SET_DUMPABLE, 1) == 0;
}

/// In a mount namespace of our own, gives the test user a name and a range of ids. Must be root.
inline bool grant_subordinate_ids() {
  if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_PRIVATE | MS_REC, nullptr) != 0)
    return false;
  if (::mount("none", "/mnt", "tmpfs", 0, "mode=755") != 0) return false;
  const auto cover = [](const char* file, const std::string& text) {
    const std::string copy = std::string("/mnt/") + std::filesystem::path(file).filename().string();
    std::ofstream(copy) << text;
    return ::mount(copy.c_str(), file, nullptr, MS_BIND, nullptr) == 0;
  };
  return cover("/etc/passwd", "root:x:0:0::/:/bin/sh\nslipwaytest:x:12345:12345::/:/bin/sh\n") &&
         cover("/etc/subuid", "slipwaytest:200000:65536\n") &&
         cover("/etc/subgid", "slipwaytest:200000:65536\n");
}

}  // namespace slipway::test
