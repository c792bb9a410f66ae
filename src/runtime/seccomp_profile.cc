#include "runtime/seccomp_profile.h"

#include <nlohmann/json.hpp>

#include "base/strings.h"

namespace slipway {
namespace {

using nlohmann::json;

constexpr int kEperm = 1;
constexpr int kEnosys = 38;
// Every CLONE_NEW* of clone(2) but CLONE_NEWTIME, which is no flag of it.
constexpr unsigned kCloneNamespaces = 0x7e020000;
constexpr int kAfVsock = 40;
#if defined(__s390x__)
constexpr int kCloneFlagsArgument = 1;
#else
constexpr int kCloneFlagsArgument = 0;
#endif

// What programs of all architectures use; a name that a machine does not have is passed over by the runtime.
constexpr const char* kAllowed =
    "_llseek _newselect accept accept4 access adjtimex alarm arch_prctl arm_fadvise64_64 "
    "arm_sync_file_range bind breakpoint brk cacheflush cachestat capget capset chdir chmod chown "
    "chown32 chroot clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime "
    "clock_gettime64 clock_nanosleep clock_nanosleep_time64 close close_range connect copy_file_range "
    "creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait "
    "eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64 fadvise64_64 "
    "fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 "
    "fdatasync fgetxattr file_getattr file_setattr flistxattr flock fork fremovexattr fsetxattr fstat "
    "fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futex futex_requeue futex_time64 "
    "futex_wait futex_waitv futex_wake futimesat get_mempolicy get_robust_list get_thread_area getcpu "
    "getcwd getdents getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups "
    "getgroups32 getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid "
    "getresgid32 getresuid getresuid32 getrlimit getrusage getsid getsockname getsockopt gettid "
    "gettimeofday getuid getuid32 getxattr getxattrat inotify_add_watch inotify_init inotify_init1 "
    "inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup "
    "io_submit ioctl ioprio_get ioprio_set ipc kill landlock_add_rule landlock_create_ruleset "
    "landlock_restrict_self lchown lchown32 lgetxattr link linkat listen listmount listxattr "
    "listxattrat llistxattr lremovexattr lseek lsetxattr lsm_get_self_attr lsm_list_modules lstat "
    "lstat64 madvise map_shadow_stack mbind membarrier memfd_create memfd_secret mincore mkdir "
    "mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 modify_ldt mprotect mq_getsetattr "
    "mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 "
    "mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap "
    "name_to_handle_at nanosleep newfstatat open openat openat2 pause pidfd_open pidfd_send_signal "
    "pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv "
    "preadv2 prlimit64 process_mrelease process_vm_readv process_vm_writev pselect6 pselect6_time64 "
    "ptrace pwrite64 pwritev pwritev2 read readahead readdir readlink readlinkat readv recvfrom "
    "recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat rename renameat "
    "renameat2 restart_syscall riscv_flush_icache riscv_hwprobe rmdir rseq rt_sigaction rt_sigpending "
    "rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 "
    "rt_tgsigqueueinfo s390_guarded_storage s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr "
    "sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam "
    "sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity "
    "sched_setattr sched_setparam sched_setscheduler sched_yield seccomp select semctl semget semop "
    "semtimedop semtimedop_time64 sendfile sendfile64 sendmmsg sendmsg sendto set_mempolicy "
    "set_mempolicy_home_node set_robust_list set_thread_area set_tid_address set_tls setfsgid "
    "setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setitimer setpgid "
    "setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 "
    "setrlimit setsid setsockopt setuid setuid32 setxattr setxattrat shmat shmctl shmdt shmget "
    "shutdown sigaction sigaltstack signal signalfd signalfd4 sigpending sigprocmask sigreturn "
    "sigsuspend socketcall socketpair splice stat stat64 statfs statfs64 statmount statx symlink "
    "symlinkat sync sync_file_range sync_file_range2 syncfs sysinfo tee tgkill time timer_create "
    "timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 "
    "timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill "
    "truncate truncate64 ugetrlimit ulimit umask uname unlink unlinkat uretprobe utime utimensat "
    "utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write writev";

// What needs a privilege that steps do not have, or opens parts of the kernel that they have no use for. A
// call that is in neither list does not exist for a step: libraries then take the older way.
constexpr const char* kRefused =
    "_sysctl acct add_key bdflush bpf clock_settime clock_settime64 create_module delete_module "
    "fanotify_init finit_module fsconfig fsmount fsopen fspick get_kernel_syms init_module "
    "io_uring_enter io_uring_register io_uring_setup ioperm iopl kcmp kexec_file_load kexec_load "
    "keyctl lookup_dcookie migrate_pages mount mount_setattr move_mount move_pages nfsservctl "
    "open_by_handle_at open_tree perf_event_open pidfd_getfd pivot_root process_madvise query_module "
    "quotactl quotactl_fd reboot request_key setdomainname sethostname setns settimeofday stime "
    "swapoff swapon sysfs syslog umount umount2 unshare uselib userfaultfd ustat vhangup vm86 vm86old";

json architectures() {
#if defined(__x86_64__)
  return {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
#elif defined(__aarch64__)
  return {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"};
#else
  return json::array();  // the runtime adds the machine's own
#endif
}

json rule(json names, const char* action) { return {{"names", std::move(names)}, {"action", action}}; }

json refuse(json names, int error) {
  json out = rule(std::move(names), "SCMP_ACT_ERRNO");
  out["errnoRet"] = error;
  return out;
}

json allow_if(const char* name, unsigned argument, std::uint64_t value, const char* comparison,
              std::uint64_t second = 0) {
  json out = rule({name}, "SCMP_ACT_ALLOW");
  out["args"] = {{{"index", argument}, {"value", value}, {"valueTwo", second}, {"op", comparison}}};
  return out;
}

}  // namespace

json seccomp_profile() {
  json rules = json::array({
      rule(split(kAllowed, ' '), "SCMP_ACT_ALLOW"),
      refuse(split(kRefused, ' '), kEperm),
      // Its flags are in memory, where a filter cannot look; told that it does not exist, libc takes clone.
      refuse({"clone3"}, kEnosys),
      allow_if("clone", kCloneFlagsArgument, kCloneNamespaces, "SCMP_CMP_MASKED_EQ", 0),
      allow_if("socket", 0, kAfVsock, "SCMP_CMP_NE"),
  });
  // PER_LINUX and PER_LINUX32, each also as an old kernel or without address randomisation, and the question
  // which it is.
  for (const std::uint64_t personality : {0x0u, 0x8u, 0x20000u, 0x20008u, 0x40000u, 0x40008u, 0xffffffffu})
    rules.push_back(allow_if("personality", 0, personality, "SCMP_CMP_EQ"));
  json profile = {
      {"defaultAction", "SCMP_ACT_ERRNO"}, {"defaultErrnoRet", kEnosys}, {"syscalls", std::move(rules)}};
  if (json list = architectures(); !list.empty()) profile["architectures"] = std::move(list);
  return profile;
}

}  // namespace slipway
