#include "content/lower_view.h"

#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "base/error.h"
#include "content/snapshots.h"

namespace slipway {
namespace {

std::optional<struct stat> status_of(const std::filesystem::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0) return status;
  if (errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG) return std::nullopt;
  throw SystemError(errno, "stat", path.native());
}

}  // namespace

bool is_whiteout(const struct stat& status) {
  return S_ISCHR(status.st_mode) && status.st_rdev == makedev(0, 0);
}

const char* opaque_attribute() {
  return overlay_uses_user_xattr() ? "user.overlay.opaque" : "trusted.overlay.opaque";
}

bool is_opaque(const std::filesystem::path& directory) {
  char value = 0;
  return ::lgetxattr(directory.c_str(), opaque_attribute(), &value, 1) == 1 && value == 'y';
}

LowerDirectory LowerDirectory::root_of(SnapshotStore& snapshots, const std::optional<SnapshotId>& snapshot) {
  LowerDirectory root;
  if (!snapshot) return root;
  for (SnapshotId id : snapshots.chain(*snapshot)) root.merged_.push_back(snapshots.diff_directory(id));
  std::ranges::reverse(root.merged_);
  return root;
}

std::optional<LowerDirectory::Found> LowerDirectory::find(const std::string& name) const {
  for (const std::filesystem::path& directory : merged_) {
    const auto status = status_of(directory / name);
    if (!status) continue;
    if (is_whiteout(*status)) return std::nullopt;
    return Found{.path = directory / name, .status = *status};
  }
  return std::nullopt;
}

std::vector<std::string> LowerDirectory::names() const {
  std::set<std::string> all;
  for (const std::filesystem::path& directory : merged_)
    for (const auto& entry : std::filesystem::directory_iterator(directory))
      all.insert(entry.path().filename().native());
  std::erase_if(all, [this](const std::string& name) { return !find(name); });
  return {all.begin(), all.end()};
}

LowerDirectory LowerDirectory::enter(const std::string& name) const {
  LowerDirectory below;
  for (const std::filesystem::path& directory : merged_) {
    const std::filesystem::path path = directory / name;
    const auto status = status_of(path);
    if (!status) continue;
    if (!S_ISDIR(status->st_mode)) break;  // a whiteout, or a file: further down is hidden
    below.merged_.push_back(path);
    if (is_opaque(path)) break;
  }
  return below;
}

std::optional<LowerDirectory::Found> LowerDirectory::self() const {
  if (merged_.empty()) return std::nullopt;
  const auto status = status_of(merged_.front());
  if (!status) return std::nullopt;
  return Found{.path = merged_.front(), .status = *status};
}

}  // namespace slipway
