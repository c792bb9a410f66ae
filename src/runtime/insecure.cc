#include "runtime/insecure.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "base/files.h"
#include "base/strings.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

// capability.h's numbers, in order.
constexpr const char* kNames[] = {"CHOWN",
                                  "DAC_OVERRIDE",
                                  "DAC_READ_SEARCH",
                                  "FOWNER",
                                  "FSETID",
                                  "KILL",
                                  "SETGID",
                                  "SETUID",
                                  "SETPCAP",
                                  "LINUX_IMMUTABLE",
                                  "NET_BIND_SERVICE",
                                  "NET_BROADCAST",
                                  "NET_ADMIN",
                                  "NET_RAW",
                                  "IPC_LOCK",
                                  "IPC_OWNER",
                                  "SYS_MODULE",
                                  "SYS_RAWIO",
                                  "SYS_CHROOT",
                                  "SYS_PTRACE",
                                  "SYS_PACCT",
                                  "SYS_ADMIN",
                                  "SYS_BOOT",
                                  "SYS_NICE",
                                  "SYS_RESOURCE",
                                  "SYS_TIME",
                                  "SYS_TTY_CONFIG",
                                  "MKNOD",
                                  "LEASE",
                                  "AUDIT_WRITE",
                                  "AUDIT_CONTROL",
                                  "SETFCAP",
                                  "MAC_OVERRIDE",
                                  "MAC_ADMIN",
                                  "SYSLOG",
                                  "WAKE_ALARM",
                                  "BLOCK_SUSPEND",
                                  "AUDIT_READ",
                                  "PERFMON",
                                  "BPF",
                                  "CHECKPOINT_RESTORE"};

std::uint64_t permitted_set() {
  for (const std::string& line : split(read_file("/proc/self/status"), '\n'))
    if (line.starts_with("CapPrm:")) return std::strtoull(line.c_str() + 7, nullptr, 16);
  return 0;
}

bool is_device(const fs::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode));
}

}  // namespace

std::vector<std::string> own_capabilities() {
  const std::uint64_t permitted = permitted_set();
  std::vector<std::string> names;
  for (std::size_t i = 0; i < std::size(kNames); ++i)
    if (permitted >> i & 1) names.push_back(concat("CAP_", kNames[i]));
  return names;
}

std::vector<fs::path> insecure_devices() {
  std::vector<fs::path> devices{"/dev/kmsg", "/dev/cuse", "/dev/fuse", "/dev/kvm", "/dev/net/tun"};
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/dev", ignored))
    if (entry.path().filename().native().starts_with("loop")) devices.push_back(entry.path());
  std::erase_if(devices, [](const fs::path& path) { return !is_device(path); });
  std::ranges::sort(devices);
  return devices;
}

}  // namespace slipway
