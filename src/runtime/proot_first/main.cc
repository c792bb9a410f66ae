// The first process below proot: slipway-first FD PATH NAME [ARGUMENT...]
//
// It starts the program PATH, under NAME, as its child, waits for it, and writes to FD one byte: its exit
// code, or 128 + the signal that killed it. An empty PATH is looked for as execvp(3) does it.
//
// It is there because proot ends with the exit code of whichever process of the step exited last, and counts
// none that a signal killed: a step that failed would succeed if something in its background ended after it.
//
// A program of this machine without a library, since it runs in any root.
#include "runtime/freestanding.h"
#include "runtime/interpreter.h"

namespace {

int number_of(const char* digits) {
  int number = 0;
  while (*digits >= '0' && *digits <= '9') number = number * 10 + (*digits++ - '0');
  return number;
}

void say(const char* text) {
  word size = 0;
  while (text[size] != 0) ++size;
  call(NR_write, 2, address(text), size);
}

[[noreturn]] void fail(const char* name, word error) {
  const bool missing = error == kNotFound || error == kNotADirectory;
  say(name);
  say(missing ? ": not found\n" : ": cannot be executed\n");
  finish(missing ? kNoSuchProgram : kCannotExecute);
}

/// Returns only if it failed, and why. proot would start its emulator, whatever is missing.
word execute(const char* path, char** arguments, char** environment) {
  if (lacks_interpreter(path)) return kNotFound;
  return -call(NR_execve, address(path), address(arguments), address(environment));
}

/// What is not there or may not be executed is passed over; the worse answer is the one that is told.
[[noreturn]] void find_and_execute(char** arguments, char** environment) {
  word answer = kNotFound;
  for (const char* place = search_path(environment);; ++place) {
    char path[kLongestPath];
    volatile char* end = path;  // else the compiler may call memcpy, and there is none
    int left = static_cast<int>(kLongestPath) - 1;
    const auto add = [&](char c) {
      if (left-- > 0) *end++ = c;
    };
    if (*place == 0 || *place == ':') add('.');
    while (*place != 0 && *place != ':') add(*place++);
    add('/');
    for (const char* name = arguments[0]; *name != 0; ++name) add(*name);
    *end = 0;
    if (left >= 0) {
      const word error = execute(path, arguments, environment);
      if (error != kNotFound && error != kNotADirectory) answer = error;
    }
    if (*place == 0) fail(arguments[0], answer);
  }
}

[[noreturn]] void run(const char* path, char** arguments, char** environment) {
  if (*path == 0 && !has_slash(arguments[0])) find_and_execute(arguments, environment);
  if (*path == 0) path = arguments[0];
  fail(arguments[0], execute(path, arguments, environment));
}

}  // namespace

extern "C" __attribute__((noreturn, used)) void start(word* stack) {
  const word count = stack[0];
  char** arguments = reinterpret_cast<char**>(stack + 1);
  if (count < 4) finish(kCannotExecute);
  const int result = number_of(arguments[1]);
  const word program = call(NR_clone, SIGCHLD);
  if (program < 0) fail(arguments[3], -program);
  if (program == 0) {
    call(NR_close, result);
    run(arguments[2], arguments + 3, arguments + count + 1);
  }
  const int code = wait_for(program);
  const unsigned char byte = static_cast<unsigned char>(code);
  call(NR_write, result, address(&byte), 1);
  finish(code);
}
