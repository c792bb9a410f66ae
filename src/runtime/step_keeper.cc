#include "runtime/step_keeper.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

#include "runtime/descendants.h"

namespace slipway {
namespace {

constexpr long kLookAfterOrphans = 50'000'000;  // nanoseconds

// The first process was a child of the tracer. What it left behind became ours, and the tracer, which waits
// for them all, then says how the first one ended.
void end_orphans(pid_t tracer) noexcept {
  if (has_children(tracer) == HasChildren::No && has_children(::getpid(), tracer) == HasChildren::Yes)
    kill_descendants(tracer);
}

[[noreturn]] void keep(pid_t child, const sigset_t& signals, KeptProgram program) noexcept {
  // Holding the parent's pipes and files open would make others wait for us.
  ::close_range(3, ~0u, 0);
  const bool is_tracer = program == KeptProgram::Tracer;
  const struct timespec patience { .tv_sec = 0, .tv_nsec = kLookAfterOrphans };
  while (true) {
    // Nobody tells that a process became ours.
    const int signal =
        is_tracer ? ::sigtimedwait(&signals, nullptr, &patience) : ::sigwaitinfo(&signals, nullptr);
    if (signal == SIGTERM) {
      end_descendants();
      ::_exit(128 + SIGTERM);
    }
    int status = 0;
    for (pid_t ended; (ended = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      if (ended != child) continue;
      end_descendants();
      ::_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
    }
    if (is_tracer) end_orphans(child);
  }
}

}  // namespace

int fork_under_keeper(KeptProgram program) noexcept {
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
    keep(child, signals, program);
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != keeper) ::_exit(125);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  return 0;
}

}  // namespace slipway
