// Process 1 of an emulated step: slipway-init -- PROGRAM [ARGUMENT...]
//
// It starts the program as its child, waits for whatever is handed to it, and ends as the program did: with
// its exit code, or 128 + the signal that killed it. The kernel then kills what is left in the namespace, as
// it does when the program itself is process 1.
//
// It is there because the kernel does not kill process 1 by a signal from inside its namespace, and QEMU ends
// a program that crashed by sending itself the signal and waiting for that: for ever, if it is process 1.
//
// A program of this machine without a library, since it runs in any image. It handles no signal: as process 1
// it gets none that it does not ask for.
#include "runtime/freestanding.h"
#include "runtime/interpreter.h"

#if defined(__x86_64__)
enum { NR_setsid = 112 };
#elif defined(__aarch64__)
enum { NR_setsid = 157 };
#endif

namespace {

/// Collects what fits; what does not is cut and remembered.
template <unsigned long kSize>
class Text {
 public:
  void add(char c) {
    volatile char* bytes = bytes_;  // else the compiler may call memcpy, and there is none
    if (size_ + 1 < kSize)
      bytes[size_++] = c;
    else
      cut_ = true;
    bytes[size_] = 0;
  }
  void add(const char* text) {
    while (*text != 0) add(*text++);
  }
  const char* bytes() const { return bytes_; }
  word size() const { return static_cast<word>(size_); }
  bool cut() const { return cut_; }

 private:
  char bytes_[kSize];
  unsigned long size_ = 0;
  bool cut_ = false;
};

const char* message_of(word error) {
  switch (error) {
    case kNotPermitted:
      return "Operation not permitted";
    case kNotFound:
      return "No such file or directory";
    case kInputOutput:
      return "Input/output error";
    case kTooManyArguments:
      return "Argument list too long";
    case kNotAProgram:
      return "Exec format error";
    case kAgain:
      return "Resource temporarily unavailable";
    case kNoMemory:
      return "Cannot allocate memory";
    case kAccess:
      return "Permission denied";
    case kNotADirectory:
      return "Not a directory";
    case kIsADirectory:
      return "Is a directory";
    case kInvalid:
      return "Invalid argument";
    case kBusy:
      return "Text file busy";
    case kNameTooLong:
      return "File name too long";
    case kTooManyLinks:
      return "Too many levels of symbolic links";
    default:
      return nullptr;
  }
}

/// Why the program was not started.
struct Failure {
  word error = kNotFound;
  bool interpreter_missing = false;  ///< the file is there, but not what is to run it
};

/// In crun's words, for crun_log.h reads them.
[[noreturn]] void fail(const Failure& failure) {
  Text<256> line;
  line.add("{\"msg\":\"exec container process");
  if (failure.interpreter_missing) line.add(" (missing dynamic library?)");
  line.add(": ");
  if (const char* message = message_of(failure.error)) {
    line.add(message);
  } else {
    line.add("error ");
    if (failure.error >= 100) line.add(static_cast<char>('0' + failure.error / 100 % 10));
    line.add(static_cast<char>('0' + failure.error / 10 % 10));
    line.add(static_cast<char>('0' + failure.error % 10));
  }
  line.add("\",\"level\":\"error\"}\n");
  call(NR_write, 2, address(line.bytes()), line.size());
  finish(failure.error == kNotFound || failure.error == kNotADirectory ? kNoSuchProgram : kCannotExecute);
}

bool exists(const char* path) { return access_to(path) == 0; }

bool is_directory(const char* path) {
  Text<kLongestPath> inside;
  inside.add(path);
  inside.add("/.");
  return !inside.cut() && exists(inside.bytes());
}

/// Returns only if the file could not be executed.
Failure execute(const char* path, char** arguments, char** environment) {
  if (lacks_interpreter(path)) return {kNotFound, true};
  const word error = -call(NR_execve, address(path), address(arguments), address(environment));
  if (error == kAccess && is_directory(path)) return {kIsADirectory};
  return {error, error == kNotFound && exists(path)};
}

/// What is not there, is a directory or may not be executed is passed over. If there is nothing else, the
/// last that was there is the better answer.
[[noreturn]] void run_program(char** arguments, char** environment) {
  const char* name = arguments[0];
  if (has_slash(name)) fail(execute(name, arguments, environment));
  Failure answer;
  const char* place = search_path(environment);
  while (true) {
    Text<kLongestPath> path;
    if (*place == 0 || *place == ':') path.add('.');
    while (*place != 0 && *place != ':') path.add(*place++);
    path.add('/');
    path.add(name);
    if (!path.cut()) {
      const Failure failure = execute(path.bytes(), arguments, environment);
      const bool absent = failure.error == kNotFound || failure.error == kNotADirectory;
      const bool unfit = failure.error == kAccess || failure.error == kIsADirectory;
      if (failure.interpreter_missing || (!absent && !unfit)) fail(failure);
      if (unfit) answer = failure;
    }
    if (*place == 0) fail(answer);
    ++place;
  }
}

}  // namespace

extern "C" __attribute__((noreturn, used)) void start(word* stack) {
  const word count = stack[0];
  char** arguments = reinterpret_cast<char**>(stack + 1);
  if (count < 3) finish(kCannotExecute);
  const word program = call(NR_clone, SIGCHLD);
  if (program < 0) fail({-program, false});
  if (program == 0) {
    // As crun made process 1: the first of a session and of a group of its own.
    call(NR_setsid);
    run_program(arguments + 2, arguments + count + 1);
  }
  finish(wait_for(program));
}
