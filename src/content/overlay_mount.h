#pragma once
// overlayfs(5) mounts of many layers, and their end. Private to this module: what a snapshot is, is in
// snapshots.h.
#include <filesystem>
#include <string>
#include <vector>

namespace slipway {

struct OverlayMount {
  /// Where relative lower directories start. Mount options must fit in one page, so short names are what
  /// makes long chains possible.
  std::filesystem::path base;
  std::vector<std::string> lower;  ///< topmost first, relative to `base`
  /// Empty for a read-only mount.
  std::filesystem::path upper, work;
  std::filesystem::path target;
};

/// Throws HostError if this kernel, these rights or this file system do not allow it, or if there are too
/// many layers; IntegrityError if a lower directory is missing; SystemError.
void mount_overlay(const OverlayMount& mount);

/// Throws SystemError (EBUSY if something in it stays open).
void unmount_overlay(const std::filesystem::path& target);
/// Takes the mount out of the tree at once, even while something in it is open.
void detach_mount(const std::filesystem::path& target) noexcept;

/// Mount points below `directory` that this process sees, outermost first.
std::vector<std::filesystem::path> mounts_below(const std::filesystem::path& directory);

}  // namespace slipway
