#include "content/lower_view.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "content/file_bytes.h"
#include "content/node_copy.h"
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

LowerDirectory LowerDirectory::root_of(const SnapshotStore& snapshots,
                                       const std::optional<SnapshotId>& snapshot) {
  LowerDirectory root;
  if (!snapshot) return root;
  for (SnapshotId id : snapshots.chain(*snapshot)) root.merged_.push_back(snapshots.diff_directory(id));
  std::ranges::reverse(root.merged_);
  return root;
}

LowerDirectory LowerDirectory::of(std::filesystem::path directory) {
  LowerDirectory root;
  root.merged_.push_back(std::move(directory));
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
  std::vector<std::string> names;
  for (const auto& [name, found] : entries()) names.push_back(name);
  return names;
}

std::map<std::string, LowerDirectory::Found> LowerDirectory::entries() const {
  std::map<std::string, Found> all;
  for (const std::filesystem::path& directory : merged_) {
    const UniqueFd fd = open_own(AT_FDCWD, directory.native(), O_RDONLY | O_DIRECTORY, directory.native());
    for (std::string& name : sorted_names(fd.get(), directory.native())) {
      if (all.contains(name)) continue;
      Found found{.path = directory / name};
      if (::fstatat(fd.get(), name.c_str(), &found.status, AT_SYMLINK_NOFOLLOW) != 0)
        throw SystemError(errno, "stat", found.path.native());
      all.emplace(std::move(name), std::move(found));
    }
  }
  std::erase_if(all, [](const auto& entry) { return is_whiteout(entry.second.status); });
  return all;
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
