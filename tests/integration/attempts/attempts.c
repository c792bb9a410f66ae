// What an attacker tries from inside a build step by system calls. Prints "NAME: held" or "NAME: BROKEN what"
// for each attempt. A call that is let through must not hurt the machine that the test runs on: targets are
// files and processes that the test made, values that are there already, and arguments that the kernel
// refuses only after it asked for permission.
#define _GNU_SOURCE
#include "attempts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static char said[400];

const char* broken(const char* what) {
  snprintf(said, sizeof said, "%s", what);
  return said;
}

// Refused for want of permission, or not there at all. Any other answer means that the kernel went to work.
const char* refused(long result) {
  if (result < 0 && (errno == EPERM || errno == ENOSYS || errno == EACCES)) return NULL;
  return broken(result < 0 ? strerror(errno) : "done");
}

const char* refused_or(long result, int other) {
  return result < 0 && errno == other ? NULL : refused(result);
}

static const char* fact(const char* name) {
  const char* value = getenv(name);
  return value ? value : "";
}

static pid_t victim(void) { return atoi(fact("VICTIM")); }

// --- files and devices
// ---------------------------------------------------------------------------------------------------

static const char* make_node(mode_t kind, unsigned major_number, unsigned minor_number) {
  unlink("node");
  return refused(mknod("node", kind | 0600, makedev(major_number, minor_number)));
}
static const char* mknod_block(void) { return make_node(S_IFBLK, 7, 0); }
static const char* mknod_char(void) { return make_node(S_IFCHR, 1, 11); }

static const char* sees_marker(void) {
  char path[4200];
  snprintf(path, sizeof path, ".%s", fact("MARKER"));
  return access(path, F_OK) == 0 ? broken(path) : NULL;
}

// With the working directory above its root, a process goes up as far as there is an up.
static const char* chroot_escape(void) {
  mkdir("jail", 0755);
  const int old_root = open("/", O_PATH | O_DIRECTORY);
  if (chroot("jail") != 0 || fchdir(old_root) != 0) return NULL;
  for (int i = 0; i < 100; ++i)
    if (chdir("..") != 0) return NULL;
  return sees_marker();
}

static const char* open_by_handle(void) {
  struct {
    struct file_handle handle;
    unsigned char id[MAX_HANDLE_SZ];
  } guess = {.handle = {.handle_bytes = 8, .handle_type = 1}, .id = {2}};  // ext4's root is inode 2
  const int mount = open(".", O_RDONLY | O_DIRECTORY);
  return refused(open_by_handle_at(mount, &guess.handle, O_RDONLY));
}

// Everything but standard input, output and error, and these must be no way to a directory.
static const char* descriptors(void) {
  char link[64], target[256];
  for (int fd = 0; fd < 4096; ++fd) {
    struct stat status;
    if (fstat(fd, &status) != 0 || (fd < 3 && !S_ISDIR(status.st_mode))) continue;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t length = readlink(link, target, sizeof target - 1);
    target[length < 0 ? 0 : length] = 0;
    snprintf(said, sizeof said, "%d is %s", fd, target);
    return said;
  }
  return NULL;
}

// The redirections that overlayfs believes in.
static const char* overlay_attribute(void) {
  mkdir("redirected", 0755);
  return refused_or(setxattr("redirected", "trusted.overlay.redirect", "/", 1, 0), EOPNOTSUPP);
}

// --- capabilities
// --------------------------------------------------------------------------------------------------------

static unsigned long long capabilities(const char* which) {
  char line[200];
  unsigned long long set = 0;
  FILE* file = fopen("/proc/self/status", "re");
  while (file && fgets(line, sizeof line, file))
    if (strncmp(line, which, strlen(which)) == 0) set = strtoull(line + strlen(which), NULL, 16);
  if (file) fclose(file);
  return set;
}

static const char* capset_raise(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  struct __user_cap_data_struct data[2] = {{~0u, ~0u, 0}, {0x1ff, 0x1ff, 0}};
  return refused(syscall(SYS_capset, &header, data));
}

static const char* ambient_raise(void) {
  return refused(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN, 0, 0));
}

static void copy_of_self(const char* name) {
  char buffer[65536];
  const int from = open(fact("ATTEMPTS"), O_RDONLY | O_CLOEXEC);
  unlink(name);
  const int to = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
  for (ssize_t n; (n = read(from, buffer, sizeof buffer)) > 0;)
    if (write(to, buffer, (size_t)n) != n) break;
  close(from);
  close(to);
}

// Ends with 1 if it has what no step may have.
static int has_too_much(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  struct __user_cap_data_struct data[2] = {{0}};
  syscall(SYS_capget, &header, data);
  return (data[0].permitted | data[0].effective) &
                 (1u << CAP_SYS_ADMIN | 1u << CAP_MKNOD | 1u << CAP_DAC_READ_SEARCH)
             ? 1
             : 0;
}

static const char* gains_by_running(const char* name) {
  const pid_t child = fork();
  if (child == 0) {
    char path[64];
    snprintf(path, sizeof path, "./%s", name);
    execl(path, path, "--has-too-much", NULL);
    _exit(0);  // not even executed
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 1 ? broken("gained capabilities") : NULL;
}

static const char* file_capabilities(void) {
  copy_of_self("with-capabilities");
  const unsigned wanted = 1u << CAP_SYS_ADMIN | 1u << CAP_MKNOD | 1u << CAP_DAC_READ_SEARCH;
  const struct vfs_cap_data data = {.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
                                    .data = {{.permitted = wanted}}};
  setxattr("with-capabilities", "security.capability", &data, sizeof data, 0);
  return gains_by_running("with-capabilities");
}

static const char* setuid_root(void) {
  copy_of_self("setuid");
  if (chown("setuid", 0, 0) != 0) return NULL;
  chmod("setuid", 06755);
  return gains_by_running("setuid");
}

// An id of the machine that is not the step's to give: in a user namespace it has none, and without one it is
// only a number.
static const char* setuid_of_outside(void) {
  copy_of_self("foreign");
  chown("foreign", 4000000000u, 4000000000u);
  chmod("foreign", 06755);
  return gains_by_running("foreign");
}

static const char* more_priority(void) {
  return refused(setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) - 1));
}

// Only descriptors of real files show: the step's own memory has no CapEff of others. Kept here as C has the
// whole mask.
static const char* capability_sets(void) {
  static const unsigned kOurs[] = {
      CAP_AUDIT_WRITE, CAP_CHOWN,  CAP_DAC_OVERRIDE,     CAP_FOWNER,  CAP_FSETID, CAP_KILL,      CAP_NET_RAW,
      CAP_SETFCAP,     CAP_SETGID, CAP_NET_BIND_SERVICE, CAP_SETPCAP, CAP_SETUID, CAP_SYS_CHROOT};
  unsigned long long allowed = 0;
  for (size_t i = 0; i < sizeof kOurs / sizeof *kOurs; ++i) allowed |= 1ull << kOurs[i];
  static const char* const kSets[] = {"CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"};
  for (size_t i = 0; i < sizeof kSets / sizeof *kSets; ++i)
    if (capabilities(kSets[i]) & ~allowed) return broken(kSets[i]);
  return NULL;
}

// --- processes outside
// ---------------------------------------------------------------------------------------------------

static const char* trace(void) {
  const char* result = refused_or(ptrace(PTRACE_SEIZE, victim(), 0, 0), ESRCH);
  if (result) ptrace(PTRACE_DETACH, victim(), 0, 0);
  return result;
}

static const char* read_memory(void) {
  char byte;
  struct iovec here = {&byte, 1},
               there = {(void*)0x1000, 1};  // nothing is there: EFAULT says that we were let in
  return refused_or(process_vm_readv(victim(), &here, 1, &there, 1, 0), ESRCH);
}

static const char* take_descriptor(void) {
  const long pidfd = syscall(SYS_pidfd_open, victim(), 0);
  return pidfd < 0 ? NULL : refused(syscall(SYS_pidfd_getfd, pidfd, 0, 0));
}

static const char* shared_memory(void) {
  return refused_or(shmget(atoi(fact("SHARED_MEMORY")), 0, 0), ENOENT);
}

static const char* signal_victim(void) { return refused_or(kill(victim(), SIGKILL), ESRCH); }

const struct attempt kProcessAttempts[] = {{"mknod-block", mknod_block},
                                           {"mknod-char", mknod_char},
                                           {"chroot-escape", chroot_escape},
                                           {"open-by-handle", open_by_handle},
                                           {"descriptors", descriptors},
                                           {"overlay-attribute", overlay_attribute},
                                           {"capability-sets", capability_sets},
                                           {"capset-raise", capset_raise},
                                           {"ambient-raise", ambient_raise},
                                           {"file-capabilities", file_capabilities},
                                           {"setuid-root", setuid_root},
                                           {"setuid-of-outside", setuid_of_outside},
                                           {"more-priority", more_priority},
                                           {"ptrace", trace},
                                           {"read-memory", read_memory},
                                           {"take-descriptor", take_descriptor},
                                           {"shared-memory", shared_memory},
                                           {"signal", signal_victim},
                                           {NULL, NULL}};

// Each attempt has a process of its own, as some change their process for good.
static void run(const struct attempt* attempt) {
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    const char* what = attempt->run();
    if (what)
      printf("%s: BROKEN %s\n", attempt->name, what);
    else
      printf("%s: held\n", attempt->name);
    fflush(stdout);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    printf("%s: BROKEN the attempt itself: status %x\n", attempt->name, status);
}

// The program of the step was started through a descriptor of the runtime's own file, and is replaced by us.
static int overwrite_runtime(int fd) {
  char link[64];
  unsigned char byte;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  for (int tries = 0; tries < 50; ++tries) {
    const int file = open(link, O_WRONLY | O_CLOEXEC);
    if (file >= 0 && pread(fd, &byte, 1, 0) == 1 && pwrite(file, &byte, 1, 0) == 1) {
      puts("runtime-file: BROKEN it can be written to");
      return 0;
    }
    if (file >= 0) close(file);
    usleep(20000);
  }
  puts("runtime-file: held");
  return 0;
}

static int is_named(const char* name, char** names) {
  for (; *names; ++names)
    if (strcmp(*names, name) == 0) return 1;
  return 0;
}

// attempts [--only NAME...]
int main(int argc, char** argv) {
  if (argc > 1 && strcmp(argv[1], "--has-too-much") == 0) return has_too_much();
  if (argc > 2 && strcmp(argv[1], "--overwrite") == 0) return overwrite_runtime(atoi(argv[2]));
  char** const only = argc > 1 && strcmp(argv[1], "--only") == 0 ? argv + 2 : NULL;
  const struct attempt* const tables[] = {kProcessAttempts, kKernelAttempts, kNamespaceAttempts,
                                          kNetworkAttempts};
  for (size_t i = 0; i < sizeof tables / sizeof *tables; ++i)
    for (const struct attempt* attempt = tables[i]; attempt->name; ++attempt)
      if (!only || is_named(attempt->name, only)) run(attempt);
  return 0;
}
