// Starts the OCI runtime for one step: slipway-launch ORDER... run PROGRAM [ARGUMENT...]
//
//   keep                              leave a keeper between here and the parent (step_keeper.h)
//   join FILE                         enter the control group whose tasks or cgroup.procs this is
//   raise RESOURCE HARD               lift a hard limit to this, if it is lower and we may
//   binfmt REPORT MOUNT_POINT REGISTER_FILE REGISTRATION INTERPRETER STAND_IN UID_LINES GID_LINES
//                                     enter_private_binfmt; what fails is left in REPORT as "STAGE ERRNO"
//
// The orders are obeyed one after the other. It is a program, not code between slipway's fork and exec, since
// it forks twice: that costs what the forking process is large, and this one has next to no memory.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "runtime/binfmt_entry.h"
#include "runtime/step_keeper.h"

namespace {

constexpr int kNotStarted = 125;

void print(const char* text) {
  [[maybe_unused]] const ssize_t n = ::write(STDERR_FILENO, text, std::strlen(text));
}

[[noreturn]] void fail(const char* what, int error) {
  print("slipway: preparing the step: ");
  print(what);
  print(": ");
  print(::strerrordesc_np(error) ? ::strerrordesc_np(error) : "unknown error");
  print("\n");
  ::_exit(kNotStarted);
}

void join(const char* file) {
  const int fd = ::open(file, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || ::write(fd, "0", 1) != 1) fail(file, errno);
  ::close(fd);
}

void raise(const char* resource, const char* hard) {
  const auto which = static_cast<__rlimit_resource_t>(std::atoi(resource));
  const rlim_t wanted = std::strtoull(hard, nullptr, 10);
  struct rlimit now {};
  if (::getrlimit(which, &now) != 0 || now.rlim_max >= wanted) return;
  now.rlim_max = wanted;
  ::setrlimit(which, &now);  // the runtime says so if it may not be had
}

void enter_binfmt(const char* report, const slipway::BinfmtEntryPlan& plan) {
  const slipway::BinfmtEntryFailure failure = slipway::enter_private_binfmt(plan);
  if (failure.stage == slipway::BinfmtEntryFailure::Stage::NotFailed) return;
  const char digits[] = {static_cast<char>('0' + static_cast<int>(failure.stage)), ' ',
                         static_cast<char>('0' + failure.error / 100 % 10),
                         static_cast<char>('0' + failure.error / 10 % 10),
                         static_cast<char>('0' + failure.error % 10)};
  const int fd = ::open(report, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  [[maybe_unused]] const ssize_t n = ::write(fd, digits, sizeof digits);
  ::_exit(kNotStarted);
}

[[noreturn]] void run(char** command) {
  // Nothing of what we were given but the standard streams: the program's own file is open, too.
  ::close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
  ::execv(command[0], command);
  fail(command[0], errno);
}

}  // namespace

int main(int count, char** arguments) {
  using slipway::fork_under_keeper;
  const auto is = [&](int at, const char* order, int operands) {
    return std::strcmp(arguments[at], order) == 0 && at + operands < count;
  };
  for (int at = 1; at < count; ++at) {
    char** const operand = arguments + at + 1;
    if (is(at, "run", 1)) run(operand);
    if (is(at, "keep", 0)) {
      if (const int error = fork_under_keeper()) fail("starting a process", error);
    } else if (is(at, "join", 1)) {
      join(operand[0]);
      at += 1;
    } else if (is(at, "raise", 2)) {
      raise(operand[0], operand[1]);
      at += 2;
    } else if (is(at, "binfmt", 8)) {
      enter_binfmt(operand[0],
                   {operand[1], operand[2], operand[3], operand[4], operand[5], operand[6], operand[7]});
      at += 8;
    } else {
      break;
    }
  }
  fail("the orders", EINVAL);
}
