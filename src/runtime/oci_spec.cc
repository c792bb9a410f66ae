#include "runtime/oci_spec.h"

#include <nlohmann/json.hpp>

#include "base/strings.h"
#include "runtime/seccomp_filter.h"
#include "runtime/seccomp_profile.h"

namespace slipway {
namespace {

using nlohmann::json;

// What containers have by default everywhere in the ecosystem.
constexpr const char* kCapabilities[] = {
    "CAP_AUDIT_WRITE",      "CAP_CHOWN",   "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID",  "CAP_KILL",
    "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP",      "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID",
    "CAP_SYS_CHROOT"};

json rlimits(const std::vector<Ulimit>& limits) {
  json list = json::array();
  for (const Ulimit& limit : limits)
    list.push_back({{"type", concat("RLIMIT_", to_upper(limit.name))},
                    {"soft", static_cast<std::uint64_t>(limit.soft)},
                    {"hard", static_cast<std::uint64_t>(limit.hard)}});
  return list;
}

json process(const OciSpecInput& input) {
  const bool insecure = !input.all_capabilities.empty();
  const json set = insecure ? json(input.all_capabilities) : json(kCapabilities);
  json capabilities = {{"bounding", set}, {"effective", set}, {"permitted", set}};
  if (insecure) capabilities["inheritable"] = capabilities["ambient"] = set;
  return {{"terminal", false},
          {"user", {{"uid", input.user.uid}, {"gid", input.user.gid}, {"additionalGids", input.user.groups}}},
          {"args", input.args},
          {"env", input.env},
          {"cwd", input.cwd},
          {"capabilities", std::move(capabilities)},
          {"rlimits", rlimits(input.ulimits)},
          // Unless asked for: sudo and su work, as everywhere; what they gain is bounded by the set above.
          {"noNewPrivileges", input.no_new_privileges && !insecure}};
}

json mount(const char* destination, const char* type, const char* source, std::vector<std::string> options) {
  return {{"destination", destination}, {"type", type}, {"source", source}, {"options", std::move(options)}};
}

json sys_mount(const OciSpecInput& input) {
  const std::string access = input.all_capabilities.empty() ? "ro" : "rw";
  // sysfs shows a network namespace, and only who owns that one may mount it.
  if (input.in_user_namespace && !input.own_network)
    return mount("/sys", "none", "/sys", {"rbind", "rprivate", "nosuid", "noexec", "nodev", access});
  return mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", access});
}

json proc_mount(const OciSpecInput& input) {
  // Its numbers are not those of the step's pid namespace, but /proc/self is right in it.
  if (!input.fresh_proc)
    return mount("/proc", "none", "/proc", {"rbind", "rprivate", "nosuid", "noexec", "nodev"});
  return mount("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"});
}

json further_mount(const OciMount& entry) {
  json options = {entry.readonly ? "ro" : "rw"};
  for (const std::string& option : entry.options) options.push_back(option);
  if (entry.source.empty())
    return {
        {"destination", entry.dest}, {"type", "tmpfs"}, {"source", "tmpfs"}, {"options", std::move(options)}};
  options.push_back(entry.recursive ? "rbind" : "bind");
  options.push_back("rprivate");
  return {{"destination", entry.dest},
          {"type", "none"},
          {"source", entry.source.native()},
          {"options", std::move(options)}};
}

// The runtime binds the root to itself and thereby loses what the mount had: a device node in an image would
// open the host's device. "/" alone it takes for no place to mount at.
json keep_devices_out(const OciSpecInput& input) {
  return mount("/.", "none", input.rootfs.c_str(), {"remount", "bind", "nodev"});
}

json mounts(const OciSpecInput& input) {
  std::vector<std::string> terminals{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"};
  if (input.tty_group_mapped) terminals.emplace_back("gid=5");
  json list = json::array({
      proc_mount(input),
      mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}),
      mount("/dev/pts", "devpts", "devpts", terminals),
      mount("/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}),
      mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}),
      sys_mount(input),
  });
  if (input.all_capabilities.empty()) list.push_back(keep_devices_out(input));
  for (const OciMount& entry : input.mounts) list.push_back(further_mount(entry));
  return list;
}

json linux_part(const OciSpecInput& input) {
  json namespaces = json::array();
  for (const char* type : {"pid", "ipc", "uts", "mount"}) namespaces.push_back({{"type", type}});
  if (input.own_network) namespaces.push_back({{"type", "network"}});
  if (!input.all_capabilities.empty()) return {{"namespaces", std::move(namespaces)}};
  json masked = {"/proc/acpi",        "/proc/asound",  "/proc/interrupts",
                 "/proc/kcore",       "/proc/keys",    "/proc/latency_stats",
                 "/proc/sched_debug", "/proc/scsi",    "/proc/timer_list",
                 "/proc/timer_stats", "/sys/firmware", "/sys/devices/virtual/powercap"};
  // Bound, not fresh: cgroups delegated to the caller would be writable in there.
  if (input.in_user_namespace && !input.own_network) masked.push_back("/sys/fs/cgroup");
  return {{"namespaces", std::move(namespaces)},
          {"maskedPaths", std::move(masked)},
          {"readonlyPaths", {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}},
          {"seccomp", seccomp_profile()}};
}

}  // namespace

std::string oci_spec(const OciSpecInput& input) {
  json spec = {{"ociVersion", "1.0.2"},
               {"process", process(input)},
               {"root", {{"path", input.rootfs.native()}, {"readonly", false}}},
               {"hostname", input.hostname},
               {"mounts", mounts(input)},
               {"linux", linux_part(input)}};
  // crun takes the filter compiled; others compile the profile.
  if (input.all_capabilities.empty())
    spec["annotations"] = {{"run.oci.seccomp_bpf_data", seccomp_filter_base64()}};
  // Arguments and variables are bytes, JSON is UTF-8: what is not would be refused; the runtime passes bytes
  // through.
  return spec.dump(-1, ' ', false, json::error_handler_t::strict);
}

}  // namespace slipway
