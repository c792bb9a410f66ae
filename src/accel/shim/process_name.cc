// What a twin is called: a twin of glibc is started by way of its loader, and both the kernel's name for the
// process and /proc/self/cmdline would be the loader's. slipway-exec has the kernel's name of the program as
// the loader's argv[0]; the strings that the kernel put on the stack are, one behind the other,
//     NAME --inhibit-cache --preload ... --argv0 ARGV0 PROGRAM ARGUMENTS...
// and argv[0] is the one behind "--argv0". A copy of it goes right before the arguments, over PROGRAM's end,
// which the loader is done with, and the kernel is told that the command line begins there. Whatever is not
// as expected is left as it is.
#include <linux/prctl.h>
#include <sys/syscall.h>

#include "accel/shim/own_program.h"

extern "C" __attribute__((weak)) const char* gnu_get_libc_version();
extern "C" __attribute__((weak)) long syscall(long number, ...) noexcept;

namespace {

// Of loader_options.h's arguments; more is no loader's command line.
constexpr int kMostStrings = 16;
constexpr long kMostBytes = 1 << 16;

unsigned long length_of(const char* text) {
  unsigned long length = 0;
  while (text[length] != 0) ++length;
  return length;
}

bool equal(const char* a, const char* b) {
  while (*a != 0 && *a == *b) ++a, ++b;
  return *a == *b;
}

/// Where the string begins that ends with the NUL before `text`.
const char* previous(const char* text) {
  const char* at = text - 1;
  const char* const last = at - kMostBytes;
  while (at != last && at[-1] != 0) --at;
  return at;
}

void tell_command_line(const char* begin, const char* environment, const char* environment_end) {
  const auto address = [](const void* pointer) {
    return static_cast<__u64>(reinterpret_cast<unsigned long>(pointer));
  };
  const auto heap_end = static_cast<__u64>(syscall(SYS_brk, 0));
  const __u64 code = address(reinterpret_cast<const void*>(&tell_command_line));
  prctl_mm_map map{};
  // Only /proc/self/stat shows the rest, and what a heap may be goes by differences.
  map.start_code = code;
  map.end_code = code + 1;
  map.start_data = map.end_data = code;
  map.start_brk = map.brk = heap_end;
  map.start_stack = address(begin);
  map.arg_start = address(begin);
  map.arg_end = map.env_start = address(environment);
  map.env_end = address(environment_end);
  map.exe_fd = static_cast<__u32>(-1);
  syscall(SYS_prctl, PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0);
}

// glibc hands over what main() gets; musl nothing.
__attribute__((constructor)) void name_process(int count, char** arguments, char** environment) {
  if (gnu_get_libc_version == nullptr || syscall == nullptr || count < 1) return;
  const char* const name = arguments[0];
  const char* option = previous(name);
  if (!equal(option, "--argv0")) return;
  const char* program = name + length_of(name) + 1;
  slipway::shim::remember_program(program);
  const char* const rest = program + length_of(program) + 1;
  const char* const begin = rest - length_of(name) - 1;
  const char* end = rest;
  for (int i = 1; i < count; ++i) {
    if (arguments[i] != end) return;
    end += length_of(end) + 1;
  }
  const char* environment_end = end;
  for (char** variable = environment; *variable != nullptr; ++variable) {
    if (*variable != environment_end) return;
    environment_end += length_of(environment_end) + 1;
  }
  for (int i = 0; i < kMostStrings && !equal(option, "--inhibit-cache"); ++i) option = previous(option);
  if (!equal(option, "--inhibit-cache")) return;
  const char* const first = previous(option);
  if (*first != '/') syscall(SYS_prctl, PR_SET_NAME, first, 0, 0, 0);
  // The C library has pointers into argv[0] already.
  if (begin <= program) return;
  for (unsigned long i = 0; i <= length_of(name); ++i) const_cast<char*>(begin)[i] = name[i];
  tell_command_line(begin, end, environment_end);
}

}  // namespace
