#include "content/snapshot_diff.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/rooted.h"
#include "base/strings.h"
#include "content/file_bytes.h"
#include "content/kept_xattrs.h"
#include "content/lower_view.h"
#include "content/node_copy.h"
#include "content/overlay_marks.h"
#include "content/snapshot_merge.h"
#include "content/store.h"
#include "content/tree_listing.h"

namespace slipway {
namespace {

using Found = LowerDirectory::Found;

bool same_kind_and_owner(const struct stat& one, const struct stat& other) {
  return one.st_mode == other.st_mode && one.st_uid == other.st_uid && one.st_gid == other.st_gid;
}

/// Writes what the second tree has that the first has not, and whiteouts for the rest, into an empty
/// directory.
class DiffWriter {
 public:
  DiffWriter(const std::filesystem::path& to, const std::stop_token& stop)
      : to_(to), copy_(to_, FileBytes::Linked, stop), stop_(stop) {
    levels_.push_back({.name = "", .path = "", .from = {}, .made = to_.open("", O_RDONLY | O_DIRECTORY)});
  }

  void write(const LowerDirectory& before, const LowerDirectory& after) { write_contents(before, after); }
  bool wrote() const { return wrote_; }
  bool deletes() const { return deletes_; }

 private:
  struct Level {
    std::string name, path;
    Found from;
    UniqueFd made;  ///< of the directory in the diff, once there is need of it
  };

  void write_contents(const LowerDirectory& before, const LowerDirectory& after) {
    if (stop_.stop_requested()) throw Cancelled{};
    const auto old_entries = before.entries(), new_entries = after.entries();
    const std::string directory = levels_.back().path;
    for (const auto& [name, old] : old_entries) {
      if (new_entries.contains(name)) continue;
      make_whiteout(here(), name, concat(directory, "/", name));
      deletes_ = true;
    }
    for (const auto& [name, found] : new_entries) {
      const auto old = old_entries.find(name);
      const Found* was = old == old_entries.end() ? nullptr : &old->second;
      const std::string path = concat(directory, "/", name);
      if (S_ISDIR(found.status.st_mode)) {
        write_directory(name, path, was, found, before, after);
      } else if (!was || !is_same(*was, found, path)) {
        const int to = here();
        copy_.copy({.directory = AT_FDCWD, .name = found.path.native(), .path = path}, found.status,
                   {.directory = to, .name = name, .path = path});
      }
    }
  }

  void write_directory(const std::string& name, const std::string& path, const Found* was, const Found& found,
                       const LowerDirectory& before, const LowerDirectory& after) {
    const bool was_directory = was && S_ISDIR(was->status.st_mode);
    levels_.push_back({.name = name, .path = path, .from = found, .made = {}});
    if (!was_directory || !is_same_directory(*was, found, path)) here();
    write_contents(was_directory ? before.enter(name) : LowerDirectory(), after.enter(name));
    const Level level = std::move(levels_.back());
    levels_.pop_back();
    if (!level.made) return;
    const UniqueFd from = open_own(AT_FDCWD, found.path.native(), O_RDONLY | O_DIRECTORY, path);
    copy_.finish_directory(from.get(), found.status, level.made.get(), path);
  }

  /// The directory of the diff that is being filled, made with those above it.
  int here() {
    wrote_ = true;
    for (std::size_t i = 1; i < levels_.size(); ++i) {
      Level& level = levels_[i];
      if (level.made) continue;
      const int parent = levels_[i - 1].made.get();
      if (::mkdirat(parent, level.name.c_str(), 0700) != 0) throw SystemError(errno, "mkdir", level.path);
      level.made = open_at(parent, level.name, O_RDONLY | O_DIRECTORY, level.path);
    }
    return levels_.back().made.get();
  }

  bool is_same(const Found& one, const Found& other, const std::string& path) const {
    const struct stat &a = one.status, &b = other.status;
    if (a.st_dev == b.st_dev && a.st_ino == b.st_ino) return true;
    if (!same_kind_and_owner(a, b) || nanoseconds(a.st_mtim) != nanoseconds(b.st_mtim)) return false;
    if (S_ISLNK(a.st_mode))
      return link_target(AT_FDCWD, one.path.native(), path) ==
             link_target(AT_FDCWD, other.path.native(), path);
    if (!S_ISREG(a.st_mode)) return a.st_rdev == b.st_rdev;
    if (a.st_size != b.st_size) return false;
    const UniqueFd before = open_own(AT_FDCWD, one.path.native(), O_RDONLY | O_NONBLOCK, path);
    const UniqueFd after = open_own(AT_FDCWD, other.path.native(), O_RDONLY | O_NONBLOCK, path);
    return same_content(before.get(), after.get(), path, stop_);
  }

  static bool is_same_directory(const Found& one, const Found& other, const std::string& path) {
    if (!same_kind_and_owner(one.status, other.status)) return false;
    const UniqueFd before = open_own(AT_FDCWD, one.path.native(), O_RDONLY | O_DIRECTORY, path);
    const UniqueFd after = open_own(AT_FDCWD, other.path.native(), O_RDONLY | O_DIRECTORY, path);
    return read_kept_xattrs(before.get(), path) == read_kept_xattrs(after.get(), path);
  }

  const RootedDir to_;
  NodeCopy copy_;
  const std::stop_token& stop_;
  std::vector<Level> levels_;
  bool wrote_ = false, deletes_ = false;
};

/// Without its deletions where they would show: on nothing.
SnapshotDiff on_nothing(Store& store, const std::vector<SnapshotId>& layers, std::int64_t created,
                        const std::stop_token& stop) {
  const StackedSnapshots stacked = stack_snapshots(store, std::nullopt, layers, created, {}, stop);
  return {.tree = stacked.top, .deletes = stacked.left_out};
}

}  // namespace

SnapshotDiff diff_snapshots(Store& store, const std::optional<SnapshotId>& lower,
                            const std::optional<SnapshotId>& upper, std::int64_t created,
                            std::stop_token stop) {
  if (!lower || lower == upper) return {.tree = lower ? std::nullopt : upper, .deletes = false};
  SnapshotStore& snapshots = store.snapshots();
  if (upper) {
    const std::vector<SnapshotId> layers = snapshots.layers(*upper);
    if (const auto base = std::ranges::find(layers, *lower); base != layers.end())
      return on_nothing(store, {base + 1, layers.end()}, created, stop);
  }
  ActiveSnapshot active = snapshots.prepare_unmounted(std::nullopt);
  DiffWriter writer(active.upper(), stop);
  writer.write(LowerDirectory::root_of(snapshots, lower), LowerDirectory::root_of(snapshots, upper));
  if (!writer.wrote()) return {};
  const SnapshotId whole = snapshots.commit(std::move(active), created);
  if (!writer.deletes()) return {.tree = whole, .deletes = false};
  try {
    return on_nothing(store, {whole}, created, stop);
  } catch (...) {
    snapshots.remove(whole);
    throw;
  }
}

}  // namespace slipway
