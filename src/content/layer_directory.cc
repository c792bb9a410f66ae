#include "content/layer_directory.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "content/file_bytes.h"
#include "content/node_copy.h"
#include "content/overlay_marks.h"

namespace slipway {

namespace {

std::optional<struct stat> status_at(int directory, const std::string& name, const std::string& shown) {
  struct stat status {};
  if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) return status;
  if (errno == ENOENT) return std::nullopt;
  throw SystemError(errno, "stat", shown);
}

bool is_whiteout_at(int directory, const std::string& name, const std::string& shown) {
  const auto status = status_at(directory, name, shown);
  return status && is_whiteout(*status);
}

bool hides_lower(const UniqueFd& directory) {
  return is_opaque(concat("/proc/self/fd/", directory.get(), "/."));
}

}  // namespace

LayerDirectory LayerDirectory::root_of(const SnapshotStore& snapshots, SnapshotId snapshot) {
  LayerDirectory root;
  for (const SnapshotId part : snapshots.layer_parts(snapshot).parts)
    root.parts_.push_back(open_file(snapshots.diff_directory(part), O_RDONLY | O_DIRECTORY));
  return root;
}

LayerDirectory LayerDirectory::of(UniqueFd directory) {
  LayerDirectory root;
  root.parts_.push_back(std::move(directory));
  return root;
}

std::vector<LayerDirectory::Entry> LayerDirectory::entries(const std::string& shown) const {
  std::vector<Entry> entries;
  for (const UniqueFd& part : parts_)
    for (std::string& name : sorted_names(part.get(), shown))
      entries.push_back({.directory = part.get(), .name = std::move(name)});
  if (parts_.size() == 1 && !is_cut_) return entries;
  std::ranges::stable_sort(entries, {}, &Entry::name);
  const auto hidden = std::ranges::unique(entries, {}, &Entry::name);
  entries.erase(hidden.begin(), hidden.end());
  std::erase_if(entries, [&](const Entry& entry) {
    if (entry.directory == lowest() || !is_whiteout_at(entry.directory, entry.name, shown)) return false;
    return lowest() < 0 || !is_whiteout_at(lowest(), entry.name, shown);
  });
  return entries;
}

LayerDirectory LayerDirectory::enter(const Entry& entry, const std::string& shown) const {
  LayerDirectory below;
  const auto of_lowest = lowest() < 0 ? std::nullopt : status_at(lowest(), entry.name, shown);
  below.is_cut_ = !of_lowest || !S_ISDIR(of_lowest->st_mode);
  below.opaque_ = of_lowest && is_whiteout(*of_lowest);
  for (const UniqueFd& part : parts_) {
    const auto status = status_at(part.get(), entry.name, shown);
    if (!status) continue;
    if (!S_ISDIR(status->st_mode)) break;
    if (!below.parts_.empty() && hides_lower(below.parts_.back())) {
      if (!below.is_cut_)
        below.opaque_ = hides_lower(open_own(lowest(), entry.name, O_RDONLY | O_DIRECTORY, shown));
      below.is_cut_ = true;
      break;
    }
    below.parts_.push_back(open_own(part.get(), entry.name, O_RDONLY | O_DIRECTORY, shown));
  }
  return below;
}

bool LayerDirectory::is_opaque() const { return is_cut_ ? opaque_ : hides_lower(parts_.back()); }

}  // namespace slipway
