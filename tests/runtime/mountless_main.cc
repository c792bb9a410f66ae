// Steps below proot see the machine's own /proc and /sys, and as root they may write to them. So that no test
// can change the machine, they are read-only in a mount namespace of this program. Where there can be none,
// in a container, they are read-only already.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace {

bool make_readonly(const char* tree) {
  struct mount_attr readonly {};
  readonly.attr_set = MOUNT_ATTR_RDONLY;
  return ::mount(tree, tree, nullptr, MS_BIND | MS_REC, nullptr) == 0 &&
         ::mount_setattr(AT_FDCWD, tree, AT_RECURSIVE, &readonly, sizeof readonly) == 0;
}

bool keep_machine() {
  if (::geteuid() != 0) return true;
  if (::unshare(CLONE_NEWNS) != 0) return errno == EPERM;
  return ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 && make_readonly("/proc/sys") &&
         make_readonly("/sys");
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (!keep_machine()) {
    std::fprintf(stderr, "cannot make /proc/sys and /sys read-only: %s\n", std::strerror(errno));
    return 1;
  }
  return RUN_ALL_TESTS();
}
