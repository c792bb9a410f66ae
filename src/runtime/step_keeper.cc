#include "runtime/step_keeper.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace slipway {
namespace {

constexpr long kLookAfterOrphans = 50'000'000;  // nanoseconds

/// Calls `visit` with each pid that a file of children lists. Returns false if this kernel does not list them
/// (CONFIG_PROC_CHILDREN), or if the process is gone.
template <class Visit>
bool visit_children(const char* list, const Visit& visit) noexcept {
  const int fd = ::open(list, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  std::array<char, 4096> text;
  pid_t pid = 0;
  for (ssize_t n; (n = ::read(fd, text.data(), text.size())) > 0;) {
    for (ssize_t i = 0; i < n; ++i) {
      const char c = text[static_cast<std::size_t>(i)];
      if (c >= '0' && c <= '9') {
        pid = pid * 10 + (c - '0');
      } else {
        if (pid > 1) visit(pid);
        pid = 0;
      }
    }
  }
  ::close(fd);
  return true;
}

// Direct children only: the death of one hands its own children to us, for the next round.
bool kill_children(pid_t spared = 0) noexcept {
  return visit_children("/proc/thread-self/children", [spared](pid_t pid) {
    if (pid != spared) ::kill(pid, SIGKILL);
  });
}

void end_all_children() noexcept {
  while (kill_children()) {
    if (::waitpid(-1, nullptr, 0) < 0 && errno == ECHILD) return;
  }
}

using ChildrenPath = std::array<char, 64>;

// "/proc/PID/task/PID/children"
ChildrenPath children_of(pid_t pid) noexcept {
  ChildrenPath path{};
  std::size_t used = 0;
  const auto add = [&](const char* text) {
    while (*text && used + 1 < path.size()) path[used++] = *text++;
  };
  std::array<char, 12> digits{};
  std::size_t at = digits.size() - 1;
  for (pid_t rest = pid; rest > 0 && at > 0; rest /= 10) digits[--at] = static_cast<char>('0' + rest % 10);
  add("/proc/");
  add(&digits[at]);
  add("/task/");
  add(&digits[at]);
  add("/children");
  return path;
}

// The first process was a child of the tracer. What it left behind became ours, and the tracer, which waits
// for them all, then says how the first one ended.
void end_orphans(pid_t tracer, const ChildrenPath& tracers_children) noexcept {
  bool first_lives = false;
  const bool known = visit_children(tracers_children.data(), [&](pid_t) { first_lives = true; });
  if (known && !first_lives) kill_children(tracer);
}

[[noreturn]] void keep(pid_t child, const sigset_t& signals, KeptProgram program) noexcept {
  // Holding the parent's pipes and files open would make others wait for us.
  ::close_range(3, ~0u, 0);
  const bool is_tracer = program == KeptProgram::Tracer;
  const ChildrenPath childs_children = children_of(child);
  const struct timespec patience { .tv_sec = 0, .tv_nsec = kLookAfterOrphans };
  while (true) {
    // Nobody tells that a process became ours.
    const int signal =
        is_tracer ? ::sigtimedwait(&signals, nullptr, &patience) : ::sigwaitinfo(&signals, nullptr);
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
    if (is_tracer) end_orphans(child, childs_children);
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
