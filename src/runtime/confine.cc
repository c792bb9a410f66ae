// The tree of processes:
//
//   outer   the process that the user started, outside. Owns the terminal's Ctrl-C; waits.
//     init    process 1 of the new pid namespace, in a session of its own, so that the terminal's signals
//     reach outer
//             only and each is handed on once. Dies with outer (PR_SET_PDEATHSIG); the kernel then ends the
//             rest.
//       worker  runs `work`.
//
// init is made by clone(2) with the namespace flags rather than by fork and unshare: it is then outer's own
// child, so that there is no process in between that could be killed on its own. The two talk over a pair of
// pipes while they set things up: init says "born" when its death signal is armed, outer says "go" when the
// id maps are written, init says how the mounts went. End of file on either side means that the other one is
// gone.
#include "runtime/confine.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "base/unique_fd.h"
#include "runtime/confined_init.h"
#include "runtime/id_maps.h"
#include "runtime/user_namespaces.h"

namespace slipway {
namespace {

constexpr int kCancelled = 130;

struct Attempt {
  std::optional<IdMapping> mapping;  ///< absent: no user namespace
  bool pid_namespace = true;
  Isolation isolation = Isolation::Oci;  ///< other than that: no namespace at all
  std::string refusal;
};

enum class Ending { Ended, NoNamespaces, NoMapping, NoMounts, NoProc };
struct AttemptResult {
  Ending ending = Ending::Ended;
  int error_number = 0;
  int exit_code = 0;
};

struct Report {
  ConfineStage stage = ConfineStage::Ready;
  int error_number = 0;
};

struct Pipe {
  UniqueFd read, write;
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw SystemError(errno, "pipe");
    read = UniqueFd{ends[0]};
    write = UniqueFd{ends[1]};
  }
};

template <class T>
bool send(const UniqueFd& fd, const T& value) {
  return ::write(fd.get(), &value, sizeof value) == static_cast<ssize_t>(sizeof value);
}
template <class T>
bool receive(const UniqueFd& fd, T& value) {
  ssize_t n;
  do n = ::read(fd.get(), &value, sizeof value);
  while (n < 0 && errno == EINTR);
  return n == static_cast<ssize_t>(sizeof value);
}

// Blocks what outer hands on, so that it can be waited for; undone at the end. What the caller ignores
// (nohup) stays ignored: Linux would deliver it to sigwaitinfo otherwise.
class SignalMask {
 public:
  SignalMask() {
    ::sigemptyset(&blocked_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGCONT, SIGWINCH}) {
      struct sigaction action {};
      ::sigaction(signal, nullptr, &action);
      if (action.sa_handler != SIG_IGN) ::sigaddset(&blocked_, signal);
    }
    ::sigaddset(&blocked_, SIGCHLD);
    struct sigaction standard {};
    standard.sa_handler = SIG_DFL;  // ignored, children would vanish before anybody could wait for them
    ::sigaction(SIGCHLD, &standard, &child_action_);
    ::sigprocmask(SIG_BLOCK, &blocked_, &original_);
  }
  ~SignalMask() {
    ::sigaction(SIGCHLD, &child_action_, nullptr);
    ::sigprocmask(SIG_SETMASK, &original_, nullptr);
  }
  SignalMask(const SignalMask&) = delete;
  SignalMask& operator=(const SignalMask&) = delete;
  const sigset_t& blocked() const { return blocked_; }
  const sigset_t& original() const { return original_; }

 private:
  sigset_t blocked_, original_;
  struct sigaction child_action_ {};
};

pid_t clone_process(unsigned long flags) {
#if defined(__s390x__)
  return static_cast<pid_t>(::syscall(SYS_clone, 0, flags | SIGCHLD, 0, 0, 0));
#else
  return static_cast<pid_t>(::syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0));
#endif
}

unsigned long namespace_flags(const Attempt& attempt) {
  if (attempt.isolation != Isolation::Oci) return 0;
  unsigned long flags = CLONE_NEWNS;
  if (attempt.mapping) flags |= CLONE_NEWUSER;
  if (attempt.pid_namespace) flags |= CLONE_NEWPID;
  return flags;
}

[[noreturn]] void become_init(const Attempt& attempt, const std::function<int(const Confinement&)>& work,
                              const SignalMask& mask, Pipe& to_init, Pipe& to_outer) {
  to_init.write.reset();
  to_outer.read.reset();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  char word = 'b';
  // If outer died before the death signal was armed, nobody will ever say "go".
  if (!send(to_outer.write, word) || !receive(to_init.read, word)) ::_exit(125);
  ::setsid();
  Report report;
  if (attempt.isolation == Isolation::Oci) report.stage = prepare_mounts(attempt.pid_namespace);
  report.error_number = report.stage == ConfineStage::Ready ? 0 : errno;
  if (!send(to_outer.write, report) || report.stage != ConfineStage::Ready) ::_exit(125);
  to_outer.write.reset();
  to_init.read.reset();
  const bool one_owner = attempt.isolation == Isolation::Proot && ::geteuid() != 0;
  const Confinement confinement{.user_namespace = attempt.mapping.has_value(),
                                .many_ids = !one_owner && id_count(read_own_uid_map()) > 1,
                                .pid_namespace = attempt.pid_namespace,
                                .isolation = attempt.isolation,
                                .refusal = attempt.refusal};
  const int code = serve_as_init([&] { return work(confinement); }, mask.blocked(), mask.original(),
                                 attempt.pid_namespace);
  std::fflush(nullptr);
  ::_exit(code);
}

int reap(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

AttemptResult give_up(pid_t init, Ending ending, int error_number) {
  ::kill(init, SIGKILL);
  reap(init);
  return {.ending = ending, .error_number = error_number};
}

// Hands signals on until init ends. ^Z stops the inside first, then ourselves, so that the shell sees us
// stopped.
/// The worker's exit code; a worker that was killed (init reports 128 + signal) is said and is exit 3.
int exit_code_of(int status, bool asked_to_stop) {
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (code <= 128 || code == kCancelled) return code;
  if (asked_to_stop) return kCancelled;
  std::fprintf(stderr, "ERROR: slipway's worker was killed by signal %d%s\n", code - 128,
               code == 128 + SIGKILL ? " (out of memory?)" : "");
  return 3;
}

int watch(pid_t init, const SignalMask& mask) {
  int stop_requests = 0;
  while (true) {
    const int signal = ::sigwaitinfo(&mask.blocked(), nullptr);
    if (signal < 0) continue;
    if (signal == SIGCHLD) {
      int status = 0;
      if (::waitpid(init, &status, WNOHANG) != init) continue;
      return exit_code_of(status, /*asked_to_stop=*/stop_requests > 0);
    }
    if ((signal == SIGINT || signal == SIGTERM) && ++stop_requests > 1) {
      ::kill(init, SIGKILL);
      continue;
    }
    ::kill(init, signal);
    if (signal == SIGTSTP) ::raise(SIGSTOP);
  }
}

AttemptResult attempt_once(const Attempt& attempt, const std::function<int(const Confinement&)>& work,
                           const SignalMask& mask) {
  Pipe to_init, to_outer;
  std::fflush(nullptr);
  const pid_t init = clone_process(namespace_flags(attempt));
  if (init < 0) return {.ending = Ending::NoNamespaces, .error_number = errno};
  if (init == 0) become_init(attempt, work, mask, to_init, to_outer);
  to_init.read.reset();
  to_outer.write.reset();
  char word = 'g';
  if (!receive(to_outer.read, word)) return give_up(init, Ending::NoNamespaces, ECHILD);
  if (attempt.mapping && !apply_mapping(*attempt.mapping, init))
    return give_up(init, Ending::NoMapping, EPERM);
  Report report;
  if (!send(to_init.write, word) || !receive(to_outer.read, report))
    return give_up(init, Ending::NoNamespaces, ECHILD);
  if (report.stage == ConfineStage::Mounts) return give_up(init, Ending::NoMounts, report.error_number);
  if (report.stage == ConfineStage::Proc) return give_up(init, Ending::NoProc, report.error_number);
  return {.ending = Ending::Ended, .exit_code = watch(init, mask)};
}

// Root first tries without a user namespace; in a container it may be root in name only.
std::vector<std::optional<IdMapping>> ways_to_get_ids() {
  std::vector<std::optional<IdMapping>> ways;
  if (::geteuid() == 0) ways.emplace_back(std::nullopt);
  for (const IdMapping mapping : possible_mappings()) ways.emplace_back(mapping);
  return ways;
}

std::string refusal_of(const AttemptResult& result) {
  return concat(result.ending == Ending::NoMounts || result.ending == Ending::NoProc ? "mount: " : "clone: ",
                std::generic_category().message(result.error_number));
}

/// Tries namespaces from the best kind to the poorest; the ending tells what the last one came to.
AttemptResult attempt_namespaces(const std::function<int(const Confinement&)>& work, const SignalMask& mask) {
  AttemptResult result;
  for (const std::optional<IdMapping> mapping : ways_to_get_ids()) {
    for (const bool pid_namespace : {true, false}) {
      result = attempt_once({.mapping = mapping, .pid_namespace = pid_namespace, .refusal = {}}, work, mask);
      if (result.ending == Ending::Ended) return result;
      // Containers mask parts of their /proc, and the kernel then refuses a fresh one: do without a pid
      // namespace.
      if (result.ending != Ending::NoProc) break;
    }
  }
  return result;
}

int run_without_namespaces(Isolation isolation, std::string refusal,
                           const std::function<int(const Confinement&)>& work, const SignalMask& mask) {
  const AttemptResult result = attempt_once({.mapping = std::nullopt,
                                             .pid_namespace = false,
                                             .isolation = isolation,
                                             .refusal = std::move(refusal)},
                                            work, mask);
  if (result.ending != Ending::Ended) throw SystemError(result.error_number, "fork");
  return result.exit_code;
}

}  // namespace

int run_confined(const std::function<int(const Confinement&)>& work, std::optional<Isolation> wanted) {
  const SignalMask mask;
  if (wanted && *wanted != Isolation::Oci) {
    require_isolation(*wanted);
    return run_without_namespaces(*wanted, {}, work, mask);
  }
  const AttemptResult result = attempt_namespaces(work, mask);
  if (result.ending == Ending::Ended) return result.exit_code;
  HostError refused = user_namespace_error(result.error_number, "/proc/sys");
  if (wanted) throw refused;
  if (const auto isolation = isolation_without_namespaces())
    return run_without_namespaces(*isolation, refusal_of(result), work, mask);
  refused.set_hint(concat(refused.hint(), "; or apt-get install proot, which needs none of that"));
  throw refused;
}

}  // namespace slipway
