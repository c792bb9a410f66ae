#include "content/overlay_mount.h"

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <sstream>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "content/overlay_marks.h"

namespace slipway {
namespace fs = std::filesystem;
namespace {

std::string lower_option(const OverlayMount& mount) { return concat("lowerdir=", join(mount.lower, ":")); }

/// A path as an option's value. How ',' and ':' must be escaped differs between kernels, so such paths are
/// refused.
std::string option_path(const fs::path& path, const fs::path& base) {
  const fs::path relative = path.lexically_relative(base);
  std::string text = relative.empty() ? path.native() : relative.native();
  if (text.find_first_of(",:\\\"\n") == std::string::npos) return text;
  HostError error(
      concat("overlayfs cannot mount ", text, ": the path holds a comma, a colon, a quote or a backslash"));
  error.set_hint("Choose another place for the store with --root or SLIPWAY_ROOT.");
  throw error;
}

std::string options_of(const OverlayMount& mount) {
  std::string options = lower_option(mount);
  if (!mount.upper.empty())
    options += concat(",upperdir=", option_path(mount.upper, mount.base),
                      ",workdir=", option_path(mount.work, mount.base));
  // Layers must hold whole files under their own names, whatever the kernel's defaults: they become tar
  // archives. "userxattr" implies that and refuses to be told.
  options += overlay_uses_user_xattr() ? ",userxattr" : ",redirect_dir=nofollow,metacopy=off";
  return options + ",index=off";
}

/// mount(2) with another working directory, which a thread can have for itself. Returns 0 or an errno.
int mount_from(const fs::path& base, const fs::path& target, unsigned long flags,
               const std::string& options) {
  int error = 0;
  std::thread([&] {
    if (::unshare(CLONE_FS) != 0 || ::chdir(base.c_str()) != 0 ||
        ::mount("overlay", target.c_str(), "overlay", flags, options.c_str()) != 0)
      error = errno;
  }).join();
  return error;
}

[[noreturn]] void throw_host_error(std::string message, std::string hint) {
  HostError error(std::move(message));
  error.set_hint(std::move(hint));
  throw error;
}

[[noreturn]] void throw_mount_error(int number, const OverlayMount& mount) {
  const std::string what = concat("cannot mount overlayfs at ", mount.target.native());
  switch (number) {
    case ENODEV:
      throw_host_error(concat(what, ": this kernel has no overlayfs"), "Load it with `modprobe overlay`.");
    case EPERM:
    case EACCES:
      throw_host_error(concat(what, ": not permitted"),
                       "slipway must be root, or root of a user namespace on Linux 5.11 or newer.");
    case EINVAL:
      throw_host_error(
          concat(what, ": this kernel refuses the store's file system as its upper directory"),
          "Put the store on ext4, xfs, btrfs or tmpfs with --root or SLIPWAY_ROOT; the kernel's log names "
          "the reason.");
    case ENOENT: {
      for (const std::string& lower : mount.lower) {
        std::error_code ignored;
        if (fs::is_directory(mount.base / lower, ignored)) continue;
        IntegrityError error(
            concat("the directory ", (mount.base / lower).native(), " is missing from the store"));
        error.set_hint("`slipway store check` tells what else is damaged.");
        throw error;
      }
      break;
    }
    default:
      break;
  }
  throw SystemError(number, "mount overlayfs at", mount.target.native());
}

/// mountinfo writes blanks, tabs, newlines and backslashes as \ooo.
std::string unescape_octal(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      out += static_cast<char>(std::stoi(text.substr(i + 1, 3), nullptr, 8));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

// MS_NODEV everywhere: a device node in an image or made by a step must not open the host's device.
void mount_overlay(const OverlayMount& mount) {
  constexpr std::size_t kMostLayers = 500;  // OVL_MAX_STACK of the kernel
  if (mount.lower.size() > kMostLayers)
    throw InvalidInput(
        concat("a file system of ", mount.lower.size(), " layers: overlayfs takes at most ", kMostLayers));
  const std::string options = options_of(mount);
  constexpr std::string_view kVolatile = ",volatile";
  if (options.size() + kVolatile.size() >= static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)))
    throw HostError(
        concat("a file system of ", mount.lower.size(), " layers is more than one overlayfs mount can take"));
  if (mount.upper.empty()) {
    if (const int error = mount_from(mount.base, mount.target, MS_RDONLY | MS_NODEV, options))
      throw_mount_error(error, mount);
    return;
  }
  // volatile (Linux 5.10): without it, each fsync of a package manager and each unmount waits for the disk.
  // What a step wrote becomes durable when the store closes, or is dropped after a power cut (store.h).
  int error = mount_from(mount.base, mount.target, MS_NODEV, concat(options, kVolatile));
  if (error == EINVAL) error = mount_from(mount.base, mount.target, MS_NODEV, options);
  if (error != 0) throw_mount_error(error, mount);
}

void unmount_overlay(const fs::path& target) {
  // A child that another thread has just forked holds all our descriptors until it executes its program, also
  // those in this mount. That takes an instant; what stays busy is a bug or a process that outlived its step.
  constexpr int kAttempts = 100;
  for (int attempt = 1;; ++attempt) {
    if (::umount2(target.c_str(), UMOUNT_NOFOLLOW) == 0) return;
    if (errno != EBUSY || attempt == kAttempts) throw SystemError(errno, "umount", target.native());
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

void detach_mount(const fs::path& target) noexcept {
  ::umount2(target.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
}

std::vector<fs::path> mounts_below(const fs::path& directory) {
  const std::string prefix = directory.native() + "/";
  std::vector<fs::path> found;
  std::istringstream lines(read_file("/proc/self/mountinfo"));
  for (std::string line; std::getline(lines, line);) {
    const std::vector<std::string> fields = split(line, ' ');
    if (fields.size() < 5) continue;
    const std::string point = unescape_octal(fields[4]);
    if (point.starts_with(prefix)) found.emplace_back(point);
  }
  return found;
}

}  // namespace slipway
