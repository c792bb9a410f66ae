// A process that is killed makes room for one that is forked, so killing one after the other never comes to
// an end where forks are faster. Stopping does: a stopped process neither forks nor makes room. So all are
// stopped first, again and again until no running one is found, and killed then, when none can get away.
//
// A signal to a process group reaches also what its members are forking at that moment (kernel/fork.c,
// copy_process), so the groups of our own children, which cannot become others' groups, are stopped at once.
// The rest is found in /proc: a process is below us if its parent is. A process that has a fork under way
// when it is told to stop has one child more; it still counts as running then.
#include "runtime/descendants.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "base/unique_fd.h"

namespace slipway {
namespace {

constexpr pid_t kMostPids = 1 << 22;  // PID_MAX_LIMIT of 64-bit kernels
constexpr int kMostPasses = 200;
constexpr int kQuietPasses = 2;  // the second shows that nobody was set going again during the first

using ChildrenPath = std::array<char, 64>;

// "/proc/PID/task/PID/children"
ChildrenPath children_path(pid_t pid) noexcept {
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

/// Calls `visit` with the pid of each child. Returns false if they are not listed.
template <class Visit>
bool visit_children(pid_t parent, const Visit& visit) noexcept {
  const UniqueFd list{::open(children_path(parent).data(), O_RDONLY | O_CLOEXEC)};
  if (!list) return false;
  std::array<char, 4096> text;
  pid_t pid = 0;
  for (ssize_t n; (n = ::read(list.get(), text.data(), text.size())) > 0;) {
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
  return true;
}

pid_t number(const char* text) noexcept {
  pid_t value = 0;
  while (*text >= '0' && *text <= '9' && value < kMostPids) value = value * 10 + (*text++ - '0');
  return value;
}

struct Process {
  int directory = -1;  ///< /proc/PID, which signals can be sent to as to a pidfd
  pid_t pid = 0, parent = 0;
  char state = 0;

  void send(int signal) const noexcept {
    if (::syscall(SYS_pidfd_send_signal, directory, signal, nullptr, 0) != 0 && errno != ESRCH)
      ::kill(pid, signal);
  }
};

// "PID (NAME) STATE PARENT ...": only the name can have a parenthesis (proc(5)).
bool read_state(Process& process) noexcept {
  const UniqueFd file{::openat(process.directory, "stat", O_RDONLY | O_CLOEXEC)};
  std::array<char, 1024> text{};
  const ssize_t size = file ? ::read(file.get(), text.data(), text.size() - 1) : -1;
  if (size <= 0) return false;
  const char* name_end = std::strrchr(text.data(), ')');
  if (!name_end || std::strlen(name_end) < 5) return false;
  process.state = name_end[2];
  process.parent = number(name_end + 4);
  return true;
}

/// Which pids are below us, found anew by each visit.
class Descendants {
 public:
  Descendants() noexcept
      : proc_(::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
        ours_(static_cast<unsigned char*>(::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))) {}
  ~Descendants() {
    if (ours_ != MAP_FAILED) ::munmap(ours_, kBytes);
  }
  Descendants(const Descendants&) = delete;
  Descendants& operator=(const Descendants&) = delete;

  /// Calls `visit` with each; false if they cannot be found. Most parents have lower pids than their
  /// children, and /proc is in that order.
  template <class Visit>
  bool visit(const Visit& visit) noexcept {
    if (!proc_ || ours_ == MAP_FAILED) return false;
    std::memset(ours_, 0, kBytes);
    mark(::getpid());
    bool again = true;
    while (again) {
      bool found = false, out_of_order = false;
      scan([&](const Process& process) {
        if (!marked(process.parent)) {
          out_of_order = out_of_order || process.parent > process.pid;
          return;
        }
        mark(process.pid);
        found = true;
        visit(process);
      });
      again = found && out_of_order;
    }
    return true;
  }

 private:
  static constexpr std::size_t kBytes = kMostPids / 8;

  bool marked(pid_t pid) const noexcept { return (ours_[pid / 8] & (1u << pid % 8)) != 0; }
  void mark(pid_t pid) noexcept { ours_[pid / 8] |= static_cast<unsigned char>(1u << pid % 8); }

  /// Calls `look` with all processes that are not marked.
  template <class Look>
  void scan(const Look& look) const noexcept {
    alignas(struct dirent64) std::array<char, 8192> entries;
    ::lseek(proc_.get(), 0, SEEK_SET);
    for (long size; (size = ::syscall(SYS_getdents64, proc_.get(), entries.data(), entries.size())) > 0;) {
      for (long at = 0; at < size;) {
        const auto* entry = reinterpret_cast<const struct dirent64*>(entries.data() + at);
        at += entry->d_reclen;
        Process process{.pid = number(entry->d_name)};
        if (process.pid <= 1 || process.pid >= kMostPids || marked(process.pid)) continue;
        const UniqueFd directory{::openat(proc_.get(), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        process.directory = directory.get();
        if (directory && read_state(process) && process.parent < kMostPids) look(process);
      }
    }
  }

  UniqueFd proc_;
  unsigned char* ours_;
};

void stop_groups_of_children() noexcept {
  const pid_t own = ::getpgrp();
  visit_children(::getpid(), [own](pid_t child) {
    const pid_t group = ::getpgid(child);
    ::kill(group > 1 && group != own ? -group : child, SIGSTOP);
  });
}

/// Whether the process can still fork. One that waits for a child of vfork(2) is 'D' until that goes on.
bool runs(const Process& process) noexcept { return std::strchr("TtZXD", process.state) == nullptr; }

void stop_all(Descendants& descendants) noexcept {
  ::setpriority(PRIO_PROCESS, 0, PRIO_MIN);  // if we may: there may be thousands that want to run
  stop_groups_of_children();
  int quiet = 0;
  for (int pass = 0; pass < kMostPasses && quiet < kQuietPasses; ++pass) {
    bool any_runs = false;
    descendants.visit([&](const Process& process) {
      if (process.state != 'T') process.send(SIGSTOP);
      any_runs = any_runs || runs(process);
    });
    quiet = any_runs ? 0 : quiet + 1;
  }
}

/// Returns false if nothing tells who is below us.
bool kill_all(Descendants& descendants, pid_t spared) noexcept {
  const bool visited = descendants.visit([spared](const Process& process) {
    if (process.pid != spared) process.send(SIGKILL);
  });
  // Also where /proc shows others' processes to nobody (its option hidepid).
  const bool listed = visit_children(::getpid(), [spared](pid_t pid) {
    if (pid != spared) ::kill(pid, SIGKILL);
  });
  return visited || listed;
}

/// Waits for those that have ended. Returns false if no child is left.
bool reap_ended() noexcept {
  pid_t ended = 0;
  while ((ended = ::waitpid(-1, nullptr, WNOHANG)) > 0) {
  }
  return ended == 0 || errno != ECHILD;
}

}  // namespace

HasChildren has_children(pid_t parent, pid_t spared) noexcept {
  bool any = false;
  const bool known = visit_children(parent, [&](pid_t pid) { any = any || pid != spared; });
  if (!known) return HasChildren::Unknown;
  return any ? HasChildren::Yes : HasChildren::No;
}

void end_descendants() noexcept {
  if (!reap_ended()) return;
  Descendants descendants;
  do {
    stop_all(descendants);
    if (!kill_all(descendants, 0)) return;
    // All children were killed a moment ago; what they leave becomes ours, for the next round.
    ::waitpid(-1, nullptr, 0);
  } while (reap_ended());
}

void kill_descendants(pid_t spared) noexcept {
  Descendants descendants;
  stop_all(descendants);
  kill_all(descendants, spared);
  ::kill(spared, SIGCONT);
}

}  // namespace slipway
