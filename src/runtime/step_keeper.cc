#include "runtime/step_keeper.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace slipway {
namespace {

// Direct children only: the death of one hands its own children to us, for the next round.
// Returns false if this kernel does not list them (CONFIG_PROC_CHILDREN).
bool kill_children() noexcept {
  const int fd = ::open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  std::array<char, 4096> text;
  pid_t pid = 0;
  for (ssize_t n; (n = ::read(fd, text.data(), text.size())) > 0;) {
    for (ssize_t i = 0; i < n; ++i) {
      const char c = text[static_cast<std::size_t>(i)];
      if (c >= '0' && c <= '9') {
        pid = pid * 10 + (c - '0');
      } else {
        if (pid > 1) ::kill(pid, SIGKILL);
        pid = 0;
      }
    }
  }
  ::close(fd);
  return true;
}

void end_all_children() noexcept {
  while (kill_children()) {
    if (::waitpid(-1, nullptr, 0) < 0 && errno == ECHILD) return;
  }
}

[[noreturn]] void keep(pid_t child, const sigset_t& signals) noexcept {
  // Holding the parent's pipes and files open would make others wait for us.
  ::close_range(3, ~0u, 0);
  while (true) {
    const int signal = ::sigwaitinfo(&signals, nullptr);
    if (signal == SIGTERM) {
      end_all_children();
      ::_exit(128 + SIGTERM);
    }
    int status = 0;
    for (pid_t ended; (ended = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      if (ended != child) continue;
      end_all_children();
      ::_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
    }
  }
}

}  // namespace

int fork_under_keeper() noexcept {
  sigset_t signals, before;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  ::sigaddset(&signals, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &signals, &before);
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return errno;
  const pid_t keeper = ::getpid();
  const pid_t child = ::_Fork();  // fork() itself would take locks
  if (child < 0) return errno;
  if (child > 0) {
    // Not SIGKILL, which our parent's forking asked for: where no pid namespace ends everybody, it is up to
    // us.
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    keep(child, signals);
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != keeper) ::_exit(125);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  return 0;
}

}  // namespace slipway
