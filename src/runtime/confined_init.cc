#include "runtime/confined_init.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "base/error.h"
#include "base/unique_fd.h"
#include "runtime/descendants.h"

namespace slipway {
namespace {

// crun 1.8 refuses to start where /sys/fs/cgroup is neither pure v2 nor pure v1 ("hybrid": v1 controllers
// plus an empty v2 below), and where it is nothing it knows. Root takes the v2 out of sight. Others may not
// unmount what came with their mount namespace: they cover it by an empty read-only tmpfs, the v2 alone, as
// runc looks for the controllers where mountinfo says that they are. Covered as a whole the place looks like
// v1 without controllers, which is good enough for crun, as we ask it to leave cgroups alone.
void cover_odd_cgroups() {
  constexpr const char *kCgroups = "/sys/fs/cgroup", *kUnified = "/sys/fs/cgroup/unified";
  struct statfs status {};
  if (::statfs(kCgroups, &status) != 0 || status.f_type == CGROUP2_SUPER_MAGIC) return;
  const bool is_v1 = status.f_type == TMPFS_MAGIC;
  if (is_v1 && ::access(kUnified, F_OK) != 0) return;
  if (is_v1 && ::umount2(kUnified, MNT_DETACH) == 0) return;
  ::mount("none", is_v1 ? kUnified : kCgroups, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
          "size=4k,mode=755");
}

// The host's table of binary formats is mounted inside /proc: below a fresh one it would be hidden, and what
// is registered there would not be seen. Held open while /proc is mounted anew. Without it builds go on: they
// can have a table of their own.
class KeptBinfmtTable {
 public:
  KeptBinfmtTable() : tree_(::open_tree(AT_FDCWD, kPlace, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)) {}
  void put_back() const {
    if (tree_) ::move_mount(tree_.get(), "", AT_FDCWD, kPlace, MOVE_MOUNT_F_EMPTY_PATH);
  }

 private:
  static constexpr const char* kPlace = "/proc/sys/fs/binfmt_misc";
  UniqueFd tree_;
};

int run_worker(const std::function<int()>& work) {
  try {
    return work();
  } catch (const Error& e) {
    std::fprintf(stderr, "%s\n", describe(e).c_str());
    return exit_code_for(e);
  } catch (const Cancelled&) {
    return 130;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "slipway: %s\n", e.what());
    return 3;
  }
}

int exit_code_of(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

[[noreturn]] void become_worker(const std::function<int()>& work, const sigset_t& original, pid_t init) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != init) ::_exit(125);
  // A group of its own lets init stop and end it together with what it starts.
  ::setpgid(0, 0);
  ::sigprocmask(SIG_SETMASK, &original, nullptr);
  std::exit(run_worker(work));
}

}  // namespace

ConfineStage prepare_mounts(bool pid_namespace) {
  // Slave, not private: mounts that the host makes or ends later still arrive here; ours never leave.
  if (::mount("none", "/", nullptr, MS_SLAVE | MS_REC, nullptr) != 0) return ConfineStage::Mounts;
  if (pid_namespace) {
    const KeptBinfmtTable table;
    if (::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
      return ConfineStage::Proc;
    table.put_back();
  }
  cover_odd_cgroups();
  return ConfineStage::Ready;
}

int serve_as_init(const std::function<int()>& work, const sigset_t& blocked, const sigset_t& original,
                  bool pid_namespace) {
  if (!pid_namespace) ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  const pid_t self = ::getpid();
  const pid_t worker = ::fork();
  if (worker < 0) {
    std::perror("slipway: fork");
    return 3;
  }
  if (worker == 0) become_worker(work, original, self);
  ::setpgid(worker, worker);  // also here: whoever of the two comes first

  // In a pid namespace -1 is every process in it but ourselves, the containers' included.
  const pid_t everybody = pid_namespace ? -1 : -worker;
  while (true) {
    const int signal = ::sigwaitinfo(&blocked, nullptr);
    if (signal < 0) continue;
    if (signal == SIGCHLD) {
      int status = 0;
      for (pid_t ended; (ended = ::waitpid(-1, &status, WNOHANG)) > 0;) {
        if (ended != worker) continue;
        // With one the kernel ends everybody when we do. Without, orphans were handed to us (subreaper).
        if (!pid_namespace) end_descendants();
        return exit_code_of(status);
      }
    } else if (signal == SIGTSTP) {
      ::kill(everybody, SIGSTOP);
    } else if (signal == SIGCONT) {
      ::kill(everybody, SIGCONT);
    } else {
      ::kill(worker, signal);
    }
  }
}

}  // namespace slipway
