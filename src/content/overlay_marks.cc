#include "content/overlay_marks.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <sstream>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"

namespace slipway {
namespace {

constexpr const char* kTrusted = "trusted.overlay.opaque";
constexpr const char* kUser = "user.overlay.opaque";
// For stores on an overlayfs that keeps its own marks in user.overlay.* and hides them.
constexpr const char* kOurs = "user.slipway.opaque";

bool in_initial_user_namespace() {
  // The only one that maps every id to itself.
  static const bool answer = [] {
    std::istringstream map(read_file_if_exists("/proc/self/uid_map").value_or("0 0 4294967295"));
    std::uint64_t inside = 1, outside = 1, count = 0;
    map >> inside >> outside >> count;
    return inside == 0 && outside == 0 && count == 4294967295;
  }();
  return answer;
}

bool has_sys_admin() {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, 2> data{};
  if (::syscall(SYS_capget, &header, data.data()) != 0) return false;
  return (data[0].effective & (1U << CAP_SYS_ADMIN)) != 0;
}

bool is_stand_in(const struct stat& status) {
  return S_ISSOCK(status.st_mode) && (status.st_mode & 07777) == 0 && status.st_mtim.tv_sec == 0 &&
         status.st_mtim.tv_nsec == 0;
}

}  // namespace

bool overlay_uses_user_xattr() { return !in_initial_user_namespace() || !has_sys_admin(); }

bool is_whiteout(const struct stat& status) {
  return (S_ISCHR(status.st_mode) && status.st_rdev == makedev(0, 0)) || is_stand_in(status);
}

void make_whiteout(int directory, const std::string& name, std::string_view shown) {
  // Since Linux 5.8 that needs no privilege.
  if (::mknodat(directory, name.c_str(), S_IFCHR, makedev(0, 0)) == 0) return;
  if (errno != EPERM) throw SystemError(errno, "make a whiteout for", shown);
  const struct timespec times[2] = {{.tv_sec = 0, .tv_nsec = 0}, {.tv_sec = 0, .tv_nsec = 0}};
  if (::mknodat(directory, name.c_str(), S_IFSOCK, 0) != 0 ||
      ::utimensat(directory, name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
    throw SystemError(errno, "make a whiteout for", shown);
}

const char* opaque_attribute() { return overlay_uses_user_xattr() ? kUser : kTrusted; }

bool is_opaque(const std::filesystem::path& directory) {
  return std::ranges::any_of(std::array{opaque_attribute(), kOurs}, [&](const char* attribute) {
    char value = 0;
    return ::lgetxattr(directory.c_str(), attribute, &value, 1) == 1 && value == 'y';
  });
}

bool has_opaque_mark(int directory) {
  return std::ranges::any_of(std::array{opaque_attribute(), kOurs}, [&](const char* attribute) {
    char value = 0;
    return ::fgetxattr(directory, attribute, &value, 1) == 1 && value == 'y';
  });
}

void make_opaque(int directory, std::string_view shown) {
  if (::fsetxattr(directory, opaque_attribute(), "y", 1, 0) == 0 ||
      ::fsetxattr(directory, kOurs, "y", 1, 0) == 0)
    return;
  if (errno != ENOTSUP) throw SystemError(errno, "mark as opaque", shown);
  HostError error(
      concat("the store's file system keeps no extended attributes, which replacing the directory ", shown,
             " needs"));
  error.set_hint("Put the store on ext4, xfs or btrfs with --root or SLIPWAY_ROOT.");
  throw error;
}

}  // namespace slipway
