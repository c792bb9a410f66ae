#include "runtime/proc_files.h"

#include <sys/stat.h>

#include <optional>
#include <string>

#include "base/error.h"
#include "base/files.h"

namespace slipway {
namespace fs = std::filesystem;
namespace {

constexpr const char* kFiles[] = {
    "cpuinfo",
    "meminfo",
    "stat",
    "uptime",
    "loadavg",
    "version",
    "filesystems",
    "cmdline",
    "sys/kernel/ostype",
    "sys/kernel/osrelease",
    "sys/kernel/version",
    "sys/kernel/hostname",
    "sys/kernel/pid_max",
    "sys/kernel/threads-max",
    "sys/kernel/cap_last_cap",
    "sys/kernel/ngroups_max",
    "sys/kernel/random/boot_id",
    "sys/vm/overcommit_memory",
    "sys/vm/max_map_count",
    "sys/vm/mmap_min_addr",
    "sys/fs/file-max",
    "sys/fs/nr_open",
    "sys/net/core/somaxconn",
    "sys/net/ipv4/ip_local_port_range",
};

void put(const fs::path& file, const std::string& text) {
  write_file_atomic(file, text, Durability::None, 0444);
  ::chmod(file.c_str(), 0444);  // whatever the umask
}

}  // namespace

void copy_proc_files(const fs::path& proc, const fs::path& directory) {
  constexpr std::size_t kLargest = std::size_t{8} << 20;
  for (const char* name : kFiles) {
    std::optional<std::string> text;
    try {
      text = read_file(proc / name, kLargest);
    } catch (const Error&) {  // containers mask what they like
      continue;
    }
    fs::create_directories((directory / name).parent_path());
    put(directory / name, *text);
  }
  // Of the host's file systems the step sees one.
  put(directory / "mounts", "rootfs / rootfs rw 0 0\n");
}

}  // namespace slipway
