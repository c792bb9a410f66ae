// What a twin's uname(3) says: what the kernel does, but for the machine, which is the target's. Preloaded
// into twins by their own dynamic loaders, so it needs no library itself; glibc and musl both have
// __errno_location.
#include <sys/utsname.h>

extern "C" int* __errno_location() noexcept;

// twin_table.cc writes the target's name over it.
extern "C" __attribute__((visibility("hidden"))) constinit const volatile char slipway_machine[65] =
    "the machine of the target, written here by slipway.............";

namespace {

long call_uname(utsname* name) {
#if defined(__x86_64__)
  long result = 63;
  asm volatile("syscall" : "+a"(result) : "D"(name) : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long number asm("x8") = 160;
  register long result asm("x0") = reinterpret_cast<long>(name);
  asm volatile("svc 0" : "+r"(result) : "r"(number) : "memory");
  return result;
#endif
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int uname(utsname* name) noexcept {
  const long result = call_uname(name);
  if (result < 0) {
    *__errno_location() = static_cast<int>(-result);
    return -1;
  }
  volatile char* machine = name->machine;
  for (unsigned long i = 0; i < sizeof name->machine; ++i) machine[i] = slipway_machine[i];
  return 0;
}
