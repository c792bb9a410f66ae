#include "runtime/binfmt_entry.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace slipway {
namespace {

using Stage = BinfmtEntryFailure::Stage;

struct ProcPath {
  char text[48] = "/proc/";
};

// "/proc/PID/NAME"
ProcPath proc_path(pid_t pid, const char* name) noexcept {
  ProcPath path;
  std::size_t used = std::strlen(path.text);
  const auto add = [&](char c) {
    if (used + 1 < sizeof path.text) path.text[used++] = c;
  };
  char digits[12];
  std::size_t count = 0;
  for (pid_t rest = pid; rest > 0; rest /= 10) digits[count++] = static_cast<char>('0' + rest % 10);
  while (count > 0) add(digits[--count]);
  add('/');
  for (const char* c = name; *c; ++c) add(*c);
  path.text[used] = '\0';
  return path;
}

int write_whole(const char* path, const char* text) noexcept {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  const std::size_t size = std::strlen(text);
  const ssize_t n = ::write(fd, text, size);
  const int error = n == static_cast<ssize_t>(size) ? 0 : n < 0 ? errno : EIO;
  ::close(fd);
  return error;
}

// A map with more than one id may be written only by somebody in the parent namespace with privilege there,
// which the child has lost by unsharing: a helper forked before does it.
[[noreturn]] void serve_maps(int go, pid_t target, const BinfmtEntryPlan& plan) noexcept {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // Whatever else was open in the process that forked is not for us to keep open.
  if (go > 3) ::close_range(3, static_cast<unsigned>(go) - 1, 0);
  ::close_range(static_cast<unsigned>(go) + 1, ~0u, 0);
  char word;
  if (::read(go, &word, 1) != 1) ::_exit(0);
  int error = write_whole(proc_path(target, "uid_map").text, plan.uid_lines);
  if (error == 0) error = write_whole(proc_path(target, "gid_map").text, plan.gid_lines);
  ::_exit(error);
}

int wait_for(pid_t child) noexcept {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return errno;
  return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

BinfmtEntryFailure enter_user_namespace(const BinfmtEntryPlan& plan) noexcept {
  int go[2];
  if (::pipe2(go, O_CLOEXEC) != 0) return {Stage::Process, errno};
  const pid_t self = ::getpid();
  const pid_t helper = ::_Fork();  // fork() itself would take locks
  if (helper < 0) return {Stage::Process, errno};
  if (helper == 0) {
    ::close(go[1]);
    serve_maps(go[0], self, plan);
  }
  ::close(go[0]);
  int error = ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 ? 0 : errno;
  const Stage stage = error ? Stage::UserNamespace : Stage::Maps;
  if (error == 0 && ::write(go[1], "g", 1) != 1) error = errno;
  ::close(go[1]);  // without "go" the helper ends
  const int helper_error = wait_for(helper);
  if (error == 0) error = helper_error;
  return error ? BinfmtEntryFailure{stage, error} : BinfmtEntryFailure{};
}

}  // namespace

BinfmtEntryFailure enter_private_binfmt(const BinfmtEntryPlan& plan) noexcept {
  const pid_t parent = ::getppid();
  if (const BinfmtEntryFailure failure = enter_user_namespace(plan); failure.stage != Stage::NotFailed)
    return failure;
  // Changed credentials cancel it.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) return {Stage::Process, ECHILD};
  if (::mount("none", plan.mount_point, "binfmt_misc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
    return {Stage::Mount, errno};
  // The kernel opens the interpreter now (flag F), and shows its path to programs and counts it among their
  // arguments: as if nothing stood in for it.
  const bool has_stand_in = plan.interpreter[0] == '/';
  if (has_stand_in && ::mount(plan.stand_in, plan.interpreter, nullptr, MS_BIND, nullptr) != 0)
    return {Stage::Register, errno};
  const int error = write_whole(plan.register_file, plan.registration);
  if (has_stand_in) ::umount2(plan.interpreter, MNT_DETACH);
  return error ? BinfmtEntryFailure{Stage::Register, error} : BinfmtEntryFailure{};
}

}  // namespace slipway
