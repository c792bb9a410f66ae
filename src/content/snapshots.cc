#include "content/snapshots.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/error.h"
#include "base/files.h"
#include "base/regular_file.h"
#include "base/strings.h"
#include "content/copied_tree.h"
#include "content/database.h"
#include "content/overlay_mount.h"
#include "content/owner_view.h"
#include "content/snapshot_files.h"
#include "content/space.h"
#include "content/tree_outline.h"

// On disk: ROOT/snapshots/ID/fs holds what the snapshot changed, beside it may be ROOT/snapshots/ID/note.
// One in the making is TEMP/snap-XXXXXX with fs (upper), work (overlayfs's own) and root (the mount point);
// commit leaves fs alone in it and renames it into place.
//
// Invariant: a row's directory is there. A directory gets its name only inside the transaction that inserts
// the row, so while that holds SQLite's write lock, nobody else can see the one without the other; a process
// killed in between loses the row (SQLite rolls back) and leaves a directory without one. Such leftovers are
// told by holding the write lock and comparing: the next commit that is given the same id moves it aside,
// Store::open removes all of them after an unclean end. Removing goes the other way round: the row first,
// durably, then the directory.
namespace slipway {
namespace fs = std::filesystem;
namespace {

constexpr const char* kNote = "note";

void make_directory(const fs::path& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0)
    throw with_space_left(SystemError(errno, "mkdir", path.native()), path.parent_path());
  if (::chmod(path.c_str(), mode) != 0) throw SystemError(errno, "chmod", path.native());  // past the umask
}

fs::path make_temporary(const fs::path& parent, std::string_view prefix) {
  std::string pattern = (parent / concat(prefix, "-XXXXXX")).native();
  if (!::mkdtemp(pattern.data())) throw with_space_left(SystemError(errno, "mkdtemp", pattern), parent);
  return pattern;
}

/// A step that does not touch "/" must not change it either: the upper directory stands for it in the merged
/// tree.
void copy_root_attributes(const fs::path& from, const fs::path& to) {
  struct stat status {};
  if (::stat(from.c_str(), &status) != 0) throw SystemError(errno, "stat", from.native());
  const OwnerView owners;
  owners.show(status);
  if (owners.give(AT_FDCWD, to.c_str(), status.st_uid, status.st_gid, 0) != 0)
    throw SystemError(errno, "chown", to.native());
  if (::chmod(to.c_str(), status.st_mode & 07777) != 0) throw SystemError(errno, "chmod", to.native());
  const struct timespec times[2] = {status.st_atim, status.st_mtim};
  if (::utimensat(AT_FDCWD, to.c_str(), times, 0) != 0) throw SystemError(errno, "utimensat", to.native());
}

/// That a later check has nothing to go by is no reason to fail a step.
std::string outline_or_none(const fs::path& tree) {
  try {
    return outline_of_tree(tree);
  } catch (const SystemError&) {
    return "";
  }
}

std::vector<std::string> lower_directories(const std::vector<SnapshotId>& base_first) {
  std::vector<std::string> lower;
  for (auto id = base_first.rbegin(); id != base_first.rend(); ++id)
    lower.push_back(concat(id->value, "/fs"));
  return lower;
}

}  // namespace

MountedTree::MountedTree(MountedTree&& other) noexcept
    : path_(std::move(other.path_)),
      mounted_(std::exchange(other.mounted_, false)),
      remove_after_(std::exchange(other.remove_after_, {})),
      kept_(std::move(other.kept_)) {}

MountedTree::~MountedTree() {
  if (mounted_) detach_mount(path_);
  if (!remove_after_.empty()) ::rmdir(remove_after_.c_str());
}

void MountedTree::unmount() {
  if (mounted_) unmount_overlay(path_);
  mounted_ = false;
  kept_.reset();
  if (!remove_after_.empty() && ::rmdir(remove_after_.c_str()) != 0)
    throw SystemError(errno, "rmdir", remove_after_.native());
  remove_after_.clear();
}

ActiveSnapshot::ActiveSnapshot(ActiveSnapshot&& other) noexcept
    : directory_(std::exchange(other.directory_, {})),
      upper_(std::move(other.upper_)),
      parent_(other.parent_),
      amends_(other.amends_),
      note_(std::move(other.note_)),
      mount_(std::move(other.mount_)),
      copies_(std::move(other.copies_)) {}

ActiveSnapshot::~ActiveSnapshot() {
  mount_.reset();
  if (directory_.empty()) return;
  try {
    remove_tree(directory_);
  } catch (const std::exception&) {
    // it is in the process's temp directory, which is cleared in the end anyway
  }
}

fs::path ActiveSnapshot::root() const {
  if (copies_) return copies_->root();
  return mount_ ? mount_->path() : upper_;
}

SnapshotStore::SnapshotStore(fs::path directory, fs::path temp_directory, Database& database, TreeMode mode)
    : directory_(std::move(directory)),
      temp_(std::move(temp_directory)),
      database_(database),
      mode_(mode),
      kept_(std::make_unique<KeptTrees>()) {}

SnapshotStore::~SnapshotStore() = default;

ActiveSnapshot SnapshotStore::prepare_unmounted(const std::optional<SnapshotId>& parent) {
  if (parent && !exists(*parent)) throw NotFound(concat("snapshot ", parent->value, " is not in the store"));
  ActiveSnapshot active;
  active.parent_ = parent;
  active.directory_ = make_temporary(temp_, "snap");
  active.upper_ = active.directory_ / "fs";
  make_directory(active.upper_, 0755);
  if (parent) copy_root_attributes(diff_directory(*parent), active.upper_);
  return active;
}

ActiveSnapshot SnapshotStore::prepare(const std::optional<SnapshotId>& parent, const std::stop_token& stop) {
  ActiveSnapshot active = prepare_unmounted(parent);
  if (!parent) return active;
  if (mode_ == TreeMode::Copies) {
    copy_active(active, stop);
    return active;
  }
  mount_active(active, directory_, lower_directories(chain(*parent)));
  return active;
}

ActiveSnapshot SnapshotStore::prepare_amending(SnapshotId parent, const std::stop_token& stop) {
  ActiveSnapshot active = prepare(parent, stop);
  active.amends_ = true;
  return active;
}

ActiveSnapshot SnapshotStore::prepare_above(const fs::path& directory, const std::stop_token& stop) {
  ActiveSnapshot active = prepare_unmounted(std::nullopt);
  if (mode_ == TreeMode::Copies) {
    copy_active(active, directory, stop);
    return active;
  }
  copy_root_attributes(directory, active.upper_);
  mount_active(active, directory.parent_path(), {directory.filename().native()});
  return active;
}

void SnapshotStore::mount_active(ActiveSnapshot& active, const fs::path& base,
                                 std::vector<std::string> lower) {
  const fs::path work = active.directory_ / "work", root = active.directory_ / "root";
  make_directory(work, 0700);
  make_directory(root, 0700);
  mount_overlay(
      {.base = base, .lower = std::move(lower), .upper = active.upper_, .work = work, .target = root});
  active.mount_.emplace(MountedTree(root, true, root));
}

SnapshotId SnapshotStore::commit(ActiveSnapshot&& active, std::int64_t created) {
  ActiveSnapshot taken(std::move(active));
  if (taken.mount_) {
    taken.mount_->unmount();
    taken.mount_.reset();
    remove_tree(taken.directory_ / "work");
  }
  if (!taken.note_.empty()) write_file_atomic(taken.directory_ / kNote, taken.note_);
  if (taken.copies_) write_active_changes(taken);
  const SnapshotId id = record(taken, created);
  if (taken.copies_) kept_->put(id, std::move(taken.copies_));
  return id;
}

SnapshotId SnapshotStore::record(ActiveSnapshot& taken, std::int64_t created) {
  fs::path in_the_way;
  bool placed = false;
  try {
    const Database::NewSnapshot row{.parent = taken.parent_,
                                    .amends = taken.amends_,
                                    .created = created,
                                    .boot = boot_id(),
                                    .outline = outline_or_none(taken.upper_)};
    const SnapshotId id = database_.add_snapshot(row, [&](SnapshotId given) {
      const fs::path target = directory_ / std::to_string(given.value);
      int result = std::rename(taken.directory_.c_str(), target.c_str());
      if (result != 0 && (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR)) {
        in_the_way = move_aside(target, temp_);
        result = std::rename(taken.directory_.c_str(), target.c_str());
      }
      if (result != 0) throw with_space_left(SystemError(errno, "rename", target.native()), directory_);
      placed = true;
    });
    taken.directory_.clear();
    committed_ = true;
    if (!in_the_way.empty()) remove_tree(in_the_way);
    return id;
  } catch (const Error&) {
    // The directory is in place and the row is not. It cannot simply be renamed back: with the transaction
    // over, the id and the path may be somebody else's already.
    if (placed && !taken.directory_.empty()) clear_snapshot_leftovers(directory_, temp_, database_);
    throw;
  }
}

MountedTree SnapshotStore::view(SnapshotId id, const std::stop_token& stop) {
  const std::vector<SnapshotId> ancestors = chain(id);
  if (ancestors.size() == 1) return {diff_directory(id), false, {}};
  if (mode_ == TreeMode::Copies) return copied_view(id, stop);
  MountedTree tree(make_temporary(temp_, "view"), false, {});
  tree.remove_after_ = tree.path_;
  mount_overlay({.base = directory_,
                 .lower = lower_directories(ancestors),
                 .upper = {},
                 .work = {},
                 .target = tree.path_});
  tree.mounted_ = true;
  return tree;
}

SnapshotInfo SnapshotStore::info(SnapshotId id) const {
  const auto row = database_.find_snapshot(id);
  if (!row) throw NotFound(concat("snapshot ", id.value, " is not in the store"));
  return {.id = row->id, .parent = row->parent, .amends = row->amends, .created = row->created};
}

bool SnapshotStore::exists(SnapshotId id) const { return database_.find_snapshot(id).has_value(); }

std::vector<SnapshotInfo> SnapshotStore::lineage(SnapshotId id) const {
  std::vector<SnapshotInfo> lineage;
  for (const Database::SnapshotRow& row : database_.snapshot_chain(id))
    lineage.push_back({.id = row.id, .parent = row.parent, .amends = row.amends, .created = row.created});
  if (lineage.empty()) throw NotFound(concat("snapshot ", id.value, " is not in the store"));
  return lineage;
}

std::vector<SnapshotId> SnapshotStore::chain(SnapshotId id) const {
  std::vector<SnapshotId> chain;
  for (const SnapshotInfo& snapshot : lineage(id)) chain.push_back(snapshot.id);
  return chain;
}

std::vector<SnapshotId> SnapshotStore::layers(SnapshotId id) const {
  std::vector<SnapshotId> layers;
  for (const SnapshotInfo& snapshot : lineage(id)) {
    if (snapshot.amends && !layers.empty()) layers.pop_back();
    layers.push_back(snapshot.id);
  }
  return layers;
}

SnapshotStore::LayerParts SnapshotStore::layer_parts(SnapshotId id) const {
  LayerParts layer;
  SnapshotInfo part = info(id);
  layer.parts.push_back(id);
  for (; part.amends && part.parent; part = info(*part.parent)) layer.parts.push_back(*part.parent);
  layer.below = part.parent;
  return layer;
}

fs::path SnapshotStore::diff_directory(SnapshotId id) const {
  return directory_ / std::to_string(id.value) / "fs";
}

std::optional<std::string> SnapshotStore::note(SnapshotId id) const {
  return read_regular_file_if_exists(directory_ / std::to_string(id.value) / kNote);
}

void SnapshotStore::remove(SnapshotId id) {
  if (!database_.remove_snapshot(id)) throw NotFound(concat("snapshot ", id.value, " is not in the store"));
  kept_->forget(id);
  remove_tree(move_aside(directory_ / std::to_string(id.value), temp_));
}

std::vector<SnapshotId> SnapshotStore::remove_unused(const std::vector<SnapshotId>& ids) {
  std::vector<SnapshotId> removed = database_.remove_unused_snapshots(ids);
  for (const SnapshotId id : removed) {
    kept_->forget(id);
    remove_tree(move_aside(directory_ / std::to_string(id.value), temp_));
  }
  return removed;
}

std::vector<SnapshotId> SnapshotStore::list() const {
  std::vector<SnapshotId> ids;
  for (const Database::SnapshotRow& row : database_.snapshots()) ids.push_back(row.id);
  return ids;
}

}  // namespace slipway
