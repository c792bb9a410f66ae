#include "runtime/seccomp_profile.h"

#include <nlohmann/json.hpp>

namespace slipway {
namespace {

using nlohmann::json;

constexpr int kEperm = 1;
constexpr int kEnosys = 38;
constexpr unsigned kCloneNewUser = 0x10000000;
#if defined(__s390x__)
constexpr int kCloneFlagsArgument = 1;
#else
constexpr int kCloneFlagsArgument = 0;
#endif

json architectures() {
#if defined(__x86_64__)
  return {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
#elif defined(__aarch64__)
  return {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"};
#else
  return json::array();  // the runtime adds the machine's own
#endif
}

json refuse_new_user_namespace(const char* call, int argument) {
  return {{"names", {call}},
          {"action", "SCMP_ACT_ERRNO"},
          {"errnoRet", kEperm},
          {"args",
           {{{"index", argument},
             {"value", kCloneNewUser},
             {"valueTwo", kCloneNewUser},
             {"op", "SCMP_CMP_MASKED_EQ"}}}}};
}

}  // namespace

json seccomp_profile() {
  json refused = {{"names",
                   {"acct",
                    "add_key",
                    "bpf",
                    "clock_adjtime",
                    "clock_settime",
                    "create_module",
                    "delete_module",
                    "finit_module",
                    "fsconfig",
                    "fsmount",
                    "fsopen",
                    "fspick",
                    "get_kernel_syms",
                    "init_module",
                    "ioperm",
                    "iopl",
                    "kexec_file_load",
                    "kexec_load",
                    "keyctl",
                    "lookup_dcookie",
                    "mount",
                    "mount_setattr",
                    "move_mount",
                    "nfsservctl",
                    "open_by_handle_at",
                    "open_tree",
                    "perf_event_open",
                    "pivot_root",
                    "query_module",
                    "quotactl",
                    "quotactl_fd",
                    "reboot",
                    "request_key",
                    "setdomainname",
                    "sethostname",
                    "setns",
                    "settimeofday",
                    "stime",
                    "swapoff",
                    "swapon",
                    "syslog",
                    "umount",
                    "umount2",
                    "uselib",
                    "userfaultfd",
                    "vhangup",
                    "vm86",
                    "vm86old"}},
                  {"action", "SCMP_ACT_ERRNO"},
                  {"errnoRet", kEperm}};
  // Its flags are in memory, where a filter cannot look; told that it does not exist, libc takes clone
  // instead.
  json clone3 = {{"names", {"clone3"}}, {"action", "SCMP_ACT_ERRNO"}, {"errnoRet", kEnosys}};
  json profile = {{"defaultAction", "SCMP_ACT_ALLOW"},
                  {"syscalls", json::array({std::move(refused), std::move(clone3),
                                            refuse_new_user_namespace("clone", kCloneFlagsArgument),
                                            refuse_new_user_namespace("unshare", 0)})}};
  if (json list = architectures(); !list.empty()) profile["architectures"] = std::move(list);
  return profile;
}

}  // namespace slipway
