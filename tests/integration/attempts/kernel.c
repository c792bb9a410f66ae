// Attempts to mount, to leave by namespaces, and to reach parts of the kernel that no step has business with.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/vm_sockets.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attempts.h"

// --- mounts
// --------------------------------------------------------------------------------------------------------------

static const char* mount_at(const char* place, const char* source, const char* type, unsigned long flags) {
  mkdir(place, 0755);
  const char* result = refused(mount(source, place, type, flags, NULL));
  if (result) umount2(place, MNT_DETACH);
  return result;
}
static const char* mount_tmpfs(void) { return mount_at("mnt", "none", "tmpfs", 0); }
static const char* mount_proc(void) { return mount_at("mnt-proc", "none", "proc", 0); }
static const char* mount_bind(void) { return mount_at("mnt-bind", "/etc", NULL, MS_BIND); }
static const char* remount(void) { return refused(mount(NULL, "/proc", NULL, MS_REMOUNT | MS_BIND, NULL)); }
static const char* unmount(void) { return refused(umount2("/etc/hosts", MNT_DETACH)); }
static const char* pivot(void) { return refused(syscall(SYS_pivot_root, ".", ".")); }
static const char* open_tree_clone(void) {
  return refused(syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE));
}
static const char* fsopen_tmpfs(void) { return refused(syscall(SYS_fsopen, "tmpfs", 0)); }
static const char* move_a_mount(void) {
  return refused(syscall(SYS_move_mount, -1, "", -1, "", MOVE_MOUNT_F_EMPTY_PATH));
}
static const char* change_mount(void) {
  struct mount_attr attributes = {0};
  return refused(syscall(SYS_mount_setattr, AT_FDCWD, "/proc", 0, &attributes, sizeof attributes));
}

// --- the kernel
// ----------------------------------------------------------------------------------------------------------

static const char* keys(void) { return refused(syscall(SYS_keyctl, 0 /* KEYCTL_GET_KEYRING_ID */, -3, 0)); }
static const char* add_key(void) { return refused(syscall(SYS_add_key, "user", "slipway-test", "x", 1, -1)); }
static const char* request_key(void) {
  return refused(syscall(SYS_request_key, "user", "slipway-test", NULL, 0));
}
static const char* bpf(void) {
  unsigned attributes[32] = {2 /* BPF_MAP_TYPE_ARRAY */, 4, 4, 1};
  return refused(syscall(SYS_bpf, 0 /* BPF_MAP_CREATE */, attributes, sizeof attributes));
}
static const char* perf_event(void) {
  unsigned long long attributes[16] = {0};
  attributes[0] = 1 | (unsigned long long)sizeof attributes
                          << 32;  // PERF_TYPE_SOFTWARE, of the processor's time
  return refused(syscall(SYS_perf_event_open, attributes, 0, -1, -1, 0));
}
static const char* user_faults(void) {
  return refused(syscall(SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */));
}
static const char* io_uring(void) {
  char parameters[120] = {0};
  return refused(syscall(SYS_io_uring_setup, 1, parameters));
}
// Flags that there are not, a module of no bytes, numbers that are not reboot's.
static const char* load_kernel(void) { return refused(syscall(SYS_kexec_load, 0, 0, NULL, 0xffffUL)); }
static const char* load_module(void) { return refused(syscall(SYS_init_module, "", 0, "")); }
static const char* load_module_file(void) { return refused(syscall(SYS_finit_module, -1, "", 0)); }
static const char* unload_module(void) {
  return refused(syscall(SYS_delete_module, "slipway-no-such-module", O_NONBLOCK));
}
static const char* reboot(void) { return refused(syscall(SYS_reboot, 0, 0, 0, NULL)); }
static const char* swap(void) { return refused(syscall(SYS_swapon, "/no-such-file", 0)); }
static const char* accounting(void) { return refused(syscall(SYS_acct, "/no-such-file")); }
static const char* set_time(void) { return refused(syscall(SYS_settimeofday, NULL, NULL)); }
static const char* read_log(void) {
  char text[16];
  return refused(syscall(SYS_syslog, 3 /* SYSLOG_ACTION_READ_ALL */, text, sizeof text));
}
static const char* set_hostname(void) {
  struct utsname name;
  uname(&name);
  return refused(sethostname(name.nodename, strlen(name.nodename)));
}
static const char* io_ports(void) {
#ifdef SYS_iopl
  return refused(syscall(SYS_iopl, 3));
#else
  return NULL;
#endif
}

const struct attempt kKernelAttempts[] = {{"mount-tmpfs", mount_tmpfs},
                                          {"mount-proc", mount_proc},
                                          {"mount-bind", mount_bind},
                                          {"remount", remount},
                                          {"umount", unmount},
                                          {"pivot-root", pivot},
                                          {"open-tree", open_tree_clone},
                                          {"fsopen", fsopen_tmpfs},
                                          {"move-mount", move_a_mount},
                                          {"mount-setattr", change_mount},
                                          {"keyctl", keys},
                                          {"add-key", add_key},
                                          {"request-key", request_key},
                                          {"bpf", bpf},
                                          {"perf-event", perf_event},
                                          {"userfaultfd", user_faults},
                                          {"io-uring", io_uring},
                                          {"kexec", load_kernel},
                                          {"init-module", load_module},
                                          {"finit-module", load_module_file},
                                          {"delete-module", unload_module},
                                          {"reboot", reboot},
                                          {"swapon", swap},
                                          {"acct", accounting},
                                          {"settimeofday", set_time},
                                          {"syslog", read_log},
                                          {"sethostname", set_hostname},
                                          {"iopl", io_ports},
                                          {NULL, NULL}};

// --- namespaces
// ----------------------------------------------------------------------------------------------------------

static const char* clone_with(unsigned long flags) {
  const long child = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
  if (child == 0) _exit(0);
  const char* result = refused(child);
  if (child > 0) waitpid((pid_t)child, NULL, __WALL);
  return result;
}

#define NAMESPACE(NAME, FLAG)                                                \
  static const char* unshare_##NAME(void) { return refused(unshare(FLAG)); } \
  static const char* clone_##NAME(void) { return clone_with(FLAG); }
NAMESPACE(mount, CLONE_NEWNS)
NAMESPACE(uts, CLONE_NEWUTS)
NAMESPACE(ipc, CLONE_NEWIPC)
NAMESPACE(user, CLONE_NEWUSER)
NAMESPACE(pid, CLONE_NEWPID)
NAMESPACE(net, CLONE_NEWNET)
NAMESPACE(cgroup, CLONE_NEWCGROUP)

static const char* unshare_time(void) {
  return refused(unshare(0x80 /* CLONE_NEWTIME, no flag of clone(2) */));
}

static const char* clone3_user(void) {
  unsigned long long arguments[11] = {CLONE_NEWUSER};
  arguments[4] = SIGCHLD;
  const long child = syscall(SYS_clone3, arguments, sizeof arguments);
  if (child == 0) _exit(0);
  return refused(child);
}

// By the links of process 1 and of the one that the test started outside. EINVAL is a door that opened: into
// the room where we are.
static const char* join_namespaces(void) {
  static const char* const kNames[] = {"mnt", "pid", "net", "ipc", "uts", "user", "cgroup"};
  const char* const victim = getenv("VICTIM");
  const char* const owners[] = {"1", victim ? victim : "1"};
  for (size_t owner = 0; owner < 2; ++owner)
    for (size_t i = 0; i < sizeof kNames / sizeof *kNames; ++i) {
      char path[64];
      snprintf(path, sizeof path, "/proc/%s/ns/%s", owners[owner], kNames[i]);
      const int link = open(path, O_RDONLY | O_CLOEXEC);
      if (link >= 0 && refused(setns(link, 0))) return broken(path);
      if (link >= 0) close(link);
    }
  return NULL;
}

const struct attempt kNamespaceAttempts[] = {
    {"unshare-mount", unshare_mount},   {"unshare-uts", unshare_uts},   {"unshare-ipc", unshare_ipc},
    {"unshare-user", unshare_user},     {"unshare-pid", unshare_pid},   {"unshare-net", unshare_net},
    {"unshare-cgroup", unshare_cgroup}, {"unshare-time", unshare_time}, {"clone-mount", clone_mount},
    {"clone-uts", clone_uts},           {"clone-ipc", clone_ipc},       {"clone-user", clone_user},
    {"clone-pid", clone_pid},           {"clone-net", clone_net},       {"clone-cgroup", clone_cgroup},
    {"clone3-user", clone3_user},       {"setns", join_namespaces},     {NULL, NULL}};

// --- the network
// ---------------------------------------------------------------------------------------------------------

static const char* vsock(void) { return refused_or(socket(AF_VSOCK, SOCK_STREAM, 0), EAFNOSUPPORT); }

// Its flags, as they are.
static const char* change_interface(void) {
  struct ifreq request = {.ifr_name = "lo"};
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) != 0) return NULL;
  return refused(ioctl(fd, SIOCSIFFLAGS, &request));
}

static const char* abstract_socket(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const char* const name = getenv("ABSTRACT");
  if (!name) return NULL;
  strncpy(address.sun_path + 1, name, sizeof address.sun_path - 2);
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  const socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
  return refused_or(connect(fd, (const struct sockaddr*)&address, length), ECONNREFUSED);
}

const struct attempt kNetworkAttempts[] = {{"vsock", vsock},
                                           {"change-interface", change_interface},
                                           {"abstract-socket", abstract_socket},
                                           {NULL, NULL}};
