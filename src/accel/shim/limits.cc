// What a twin sets as a limit: of memory and stack nothing, as under the emulator, whose own memory such a limit
// would bound (QEMU, linux-user/syscall.c, TARGET_NR_setrlimit). A shell's `ulimit -d` is said to have worked, and
// the programs that it starts under the emulator find room. Declared here, not in <sys/resource.h>, where C++ has
// other types for the names.
#include <linux/resource.h>
#include <sys/syscall.h>

extern "C" long syscall(long number, ...) noexcept;

namespace {

struct Limit {
  unsigned long soft, hard;
};

bool is_left_alone(int resource) {
  return resource == RLIMIT_AS || resource == RLIMIT_DATA || resource == RLIMIT_STACK;
}

}  // namespace

extern "C" {
#pragma GCC visibility push(default)
int prlimit64(int process, int resource, const Limit* wanted, Limit* before) noexcept {
  const Limit* set = is_left_alone(resource) ? nullptr : wanted;
  return static_cast<int>(syscall(SYS_prlimit64, process, resource, set, before));
}
int prlimit(int process, int resource, const Limit* wanted, Limit* before) noexcept {
  return prlimit64(process, resource, wanted, before);
}
int setrlimit64(int resource, const Limit* wanted) noexcept {
  return is_left_alone(resource) ? 0 : prlimit64(0, resource, wanted, nullptr);
}
int setrlimit(int resource, const Limit* wanted) noexcept { return setrlimit64(resource, wanted); }
#pragma GCC visibility pop
}
