// What a twin opens as /proc/self/exe: the target's program, as under the emulator, which does the same. Only
// shells need it ("od < /proc/self/exe" in a script); who has it as an argument is no twin (declined_arguments).
#include "accel/shim/own_program.h"

#include <sys/syscall.h>

extern "C" long syscall(long number, ...) noexcept;

namespace slipway::shim {
namespace {

char program[4096];  // of the target; empty: not known

/// What follows `prefix` in `text`, or null.
const char* after(const char* text, const char* prefix) {
  while (*prefix != 0)
    if (*text++ != *prefix++) return nullptr;
  return text;
}

/// What follows the digits that `text` begins with; null without any.
const char* after_number(const char* text, long& number) {
  const char* at = text;
  for (number = 0; *at >= '0' && *at <= '9' && at - text < 10; ++at) number = number * 10 + (*at - '0');
  return at == text ? nullptr : at;
}

bool is_own_program(const char* path) {
  const char* process = after(path, "/proc/");
  if (process == nullptr || program[0] == 0) return false;
  const char* rest = after(process, "self");
  if (long number = 0; rest == nullptr) {
    rest = after_number(process, number);
    if (rest == nullptr || number != syscall(SYS_getpid)) return false;
  }
  const char* end = after(rest, "/exe");
  return end != nullptr && *end == 0;
}

int open_file(int directory, const char* path, int flags, unsigned mode) {
  return static_cast<int>(
      syscall(SYS_openat, directory, path != nullptr && is_own_program(path) ? program : path, flags, mode));
}

}  // namespace

void remember_program(const char* twin) {
  long number = 0;
  const char* path = after(twin, "/dev/.slipway/tree/");
  if (path != nullptr) path = after_number(path, number);
  if (path == nullptr || *path != '/') return;
  volatile char* to = program;  // else the compiler may call memcpy
  for (unsigned long size = 0; path[size] != 0; ++size) {
    if (size + 1 == sizeof program) {
      program[0] = 0;
      return;
    }
    to[size] = path[size];
  }
}

}  // namespace slipway::shim

// Instead of <fcntl.h>, where they have "..." for the mode: it comes in the same register on amd64 and arm64. What
// begins with two underscores is called by programs that were compiled with _FORTIFY_SOURCE.
extern "C" {
#pragma GCC visibility push(default)
constexpr int kCurrentDirectory = -100;
int open(const char* path, int flags, unsigned mode) {
  return slipway::shim::open_file(kCurrentDirectory, path, flags, mode);
}
int open64(const char* path, int flags, unsigned mode) { return open(path, flags, mode); }
int __open_2(const char* path, int flags) { return open(path, flags, 0); }
int __open64_2(const char* path, int flags) { return open(path, flags, 0); }
int openat(int directory, const char* path, int flags, unsigned mode) {
  return slipway::shim::open_file(directory, path, flags, mode);
}
int openat64(int directory, const char* path, int flags, unsigned mode) {
  return openat(directory, path, flags, mode);
}
int __openat_2(int directory, const char* path, int flags) { return openat(directory, path, flags, 0); }
int __openat64_2(int directory, const char* path, int flags) { return openat(directory, path, flags, 0); }
#pragma GCC visibility pop
}
