#pragma once
// What the programs without a library share (step_init/main.cc, proot_first/main.cc): system calls, the
// search for a program, the wait for its end. Only for them: these names are short, and there is no errno.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wregister"         // it is C
#pragma GCC diagnostic ignored "-Wunused-function"  // no threads here
extern "C" {
#include "qemu/selftest/machine.h"
}
#pragma GCC diagnostic pop

namespace {

enum Error : word {  // errno(3)
  kNotPermitted = 1,
  kNotFound = 2,
  kInterrupted = 4,
  kInputOutput = 5,
  kTooManyArguments = 7,
  kNotAProgram = 8,
  kAgain = 11,
  kNoMemory = 12,
  kAccess = 13,
  kNotADirectory = 20,
  kIsADirectory = 21,
  kInvalid = 22,
  kBusy = 26,
  kNameTooLong = 36,
  kTooManyLinks = 40,
};

constexpr int kCannotExecute = 126;  // both as shells say it
constexpr int kNoSuchProgram = 127;

inline word call(word number, word a = 0, word b = 0, word c = 0, word d = 0) {
  return call6(number, a, b, c, d, 0, 0);
}
inline word address(const void* pointer) { return reinterpret_cast<word>(pointer); }

[[noreturn]] inline void finish(int code) {
  for (;;) call(NR_exit_group, code);
}

inline bool has_slash(const char* name) {
  while (*name != 0)
    if (*name++ == '/') return true;
  return false;
}

/// PATH's value; empty if there is none.
inline const char* search_path(char** environment) {
  for (; *environment != nullptr; ++environment) {
    const char* entry = *environment;
    if (entry[0] == 'P' && entry[1] == 'A' && entry[2] == 'T' && entry[3] == 'H' && entry[4] == '=')
      return entry + 5;
  }
  return "";
}

/// Reaps everybody until `program` has ended; the exit code that says how: 128 + the signal that killed it.
inline int wait_for(word program) {
  while (true) {
    int status = 0;
    const word ended = call(NR_wait4, -1, address(&status), 0, 0);
    if (ended == program) {
      const int signal = status & 0x7f;
      return signal != 0 ? 128 + signal : (status >> 8) & 0xff;
    }
    if (ended < 0 && ended != -kInterrupted) return kCannotExecute;
  }
}

}  // namespace
