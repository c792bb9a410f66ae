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

std::optional<mode_t> mode_at(int directory, const std::string& name, const std::string& shown) {
  struct stat status {};
  if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) return status.st_mode;
  if (errno == ENOENT) return std::nullopt;
  throw SystemError(errno, "stat", shown);
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
  if (parts_.size() > 1) {
    std::ranges::stable_sort(entries, {}, &Entry::name);
    const auto hidden = std::ranges::unique(entries, {}, &Entry::name);
    entries.erase(hidden.begin(), hidden.end());
  }
  return entries;
}

LayerDirectory LayerDirectory::enter(const Entry& entry, const std::string& shown) const {
  LayerDirectory below;
  for (const UniqueFd& part : parts_) {
    const auto mode = mode_at(part.get(), entry.name, shown);
    if (!mode) continue;
    // A file or a whiteout hides what is further down as well as an opaque directory does.
    below.hides_ = !S_ISDIR(*mode) || (!below.parts_.empty() && hides_lower(below.parts_.back()));
    if (below.hides_) break;
    below.parts_.push_back(open_own(part.get(), entry.name, O_RDONLY | O_DIRECTORY, shown));
  }
  return below;
}

bool LayerDirectory::is_opaque() const { return hides_ || hides_lower(parts_.back()); }

}  // namespace slipway
