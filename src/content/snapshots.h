#pragma once
// Root file systems as chains of directories, mounted with overlayfs or, where mounts are refused, copied
// into one tree and compared with it afterwards (tree_mode.h). A snapshot is what one step changed, above its
// parent. Whiteouts and opaque directories are kept as overlayfs keeps them (kernel docs,
// filesystems/overlayfs.rst: 0/0 character devices; trusted.overlay.opaque, or user.overlay.opaque with
// "userxattr" inside a user namespace). Invariant: a snapshot's row is there only while its directory is.
// snapshots.cc says how that outlives kill -9.
//
// A snapshot may amend its parent: then the two are one layer, whose changes are those of both merged, above
// what the parent stands on. It may delete what the parent made, and nothing of what that stands on.
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "content/ids.h"
#include "content/tree_mode.h"

namespace slipway {

class Database;
class KeptTrees;
struct CopiedTree;

struct SnapshotInfo {
  SnapshotId id;
  std::optional<SnapshotId> parent;
  bool amends = false;
  std::int64_t created = 0;  ///< seconds since the epoch: when the step that made it ended
};

/// A mounted tree; unmounted when destroyed. Without mounts, a plain directory that is the snapshot's own or
/// shares files with it: whoever could write to it must not get it (prepare_above). Move-only.
class MountedTree {
 public:
  MountedTree(MountedTree&& other) noexcept;
  MountedTree& operator=(MountedTree&&) = delete;
  ~MountedTree();
  const std::filesystem::path& path() const { return path_; }
  /// Waits for what is still open in it and throws SystemError if that lasts; the destructor only detaches
  /// the mount.
  void unmount();

 private:
  friend class SnapshotStore;
  MountedTree(std::filesystem::path path, bool mounted, std::filesystem::path remove_after)
      : path_(std::move(path)), mounted_(mounted), remove_after_(std::move(remove_after)) {}
  std::filesystem::path path_;
  bool mounted_ = false;                ///< false: a plain directory that needed no mount
  std::filesystem::path remove_after_;  ///< the mount point, if it was made for this
  std::shared_ptr<const void>
      kept_;  ///< the directories of a tree of copies, shared with their other readers
};

/// A snapshot being made: a writable tree above a parent. Destroyed without commit: removed.
class ActiveSnapshot {
 public:
  ActiveSnapshot(ActiveSnapshot&&) noexcept;
  ~ActiveSnapshot();
  /// The merged, writable root.
  std::filesystem::path root() const;
  /// What has been written so far (overlayfs's upper directory; the root itself without a parent). Of a tree
  /// of copies it is empty until the commit.
  const std::filesystem::path& upper() const { return upper_; }
  /// A file that is kept beside the snapshot's tree (SnapshotStore::note).
  void set_note(std::string bytes) { note_ = std::move(bytes); }

 private:
  friend class SnapshotStore;
  ActiveSnapshot() = default;
  std::filesystem::path directory_, upper_;
  std::optional<SnapshotId> parent_;
  bool amends_ = false;
  std::string note_;
  std::optional<MountedTree> mount_;
  std::shared_ptr<CopiedTree> copies_;
};

/// Thread-safe; safe with other processes on the same store. TreeMode::Overlay needs the right to mount
/// overlayfs (root, or root of a user namespace with its own mount namespace), TreeMode::Copies none.
class SnapshotStore {
 public:
  SnapshotStore(std::filesystem::path directory, std::filesystem::path temp_directory, Database& database,
                TreeMode mode);
  ~SnapshotStore();
  TreeMode mode() const { return mode_; }

  /// Throws SystemError, HostError if overlayfs is not to be had; Cancelled (copying takes its time).
  ActiveSnapshot prepare(const std::optional<SnapshotId>& parent, const std::stop_token& stop = {});
  /// The same without a mount: root() is upper(), the directory of this snapshot's own changes. For unpacking
  /// layers, which write whiteouts and opaque marks as overlayfs keeps them; changing upper() below a live
  /// mount is undefined.
  ActiveSnapshot prepare_unmounted(const std::optional<SnapshotId>& parent);
  /// The same, of one that amends `parent`.
  ActiveSnapshot prepare_amending(SnapshotId parent, const std::stop_token& stop = {});
  /// A writable tree above a plain directory, which nobody changes meanwhile. It cannot be committed.
  ActiveSnapshot prepare_above(const std::filesystem::path& directory, const std::stop_token& stop = {});
  /// Unmounts, or compares, and records it. Nobody writes to the tree any more. `created` is seconds since
  /// the epoch. Its bytes outlive a kill, but not yet a power cut (store.h). Throws NotFound if the parent
  /// was removed meanwhile; nothing remains then.
  SnapshotId commit(ActiveSnapshot&& active, std::int64_t created);

  /// A view of the whole tree for reading. Only a mount enforces that.
  MountedTree view(SnapshotId id, const std::stop_token& stop = {});
  /// Throws NotFound.
  SnapshotInfo info(SnapshotId id) const;
  bool exists(SnapshotId id) const;
  /// The snapshot and its ancestors, base first.
  std::vector<SnapshotId> chain(SnapshotId id) const;
  /// The same without those that another of them amends: one a layer of an image.
  std::vector<SnapshotId> layers(SnapshotId id) const;
  /// Of those that `id` amends and itself, uppermost first, what makes up its layer, and what that stands on.
  struct LayerParts {
    std::vector<SnapshotId> parts;
    std::optional<SnapshotId> below;
  };
  LayerParts layer_parts(SnapshotId id) const;
  /// The directory of what this snapshot alone changed.
  std::filesystem::path diff_directory(SnapshotId id) const;
  /// What ActiveSnapshot::set_note() left with it.
  std::optional<std::string> note(SnapshotId id) const;
  /// Removes it with all that depends on it being there (cache records, layer records). Throws NotFound, and
  /// InvalidInput if another snapshot stands on it.
  void remove(SnapshotId id);
  /// Removes those that no process uses and nothing stands on; children come before their parents in `ids`.
  /// Returns those.
  std::vector<SnapshotId> remove_unused(const std::vector<SnapshotId>& ids);
  std::vector<SnapshotId> list() const;  ///< by age, oldest first
  /// True once commit() has succeeded here: there are snapshots that a power cut could still damage.
  bool has_committed() const { return committed_; }

 private:
  static void mount_active(ActiveSnapshot& active, const std::filesystem::path& base,
                           std::vector<std::string> lower);
  SnapshotId record(ActiveSnapshot& taken, std::int64_t created);
  std::vector<SnapshotInfo> lineage(SnapshotId id) const;
  // snapshot_copies.cc:
  void copy_active(ActiveSnapshot& active, const std::stop_token& stop);
  void copy_active(ActiveSnapshot& active, const std::filesystem::path& directory,
                   const std::stop_token& stop);
  void write_active_changes(ActiveSnapshot& active);
  MountedTree copied_view(SnapshotId id, const std::stop_token& stop);

  std::filesystem::path directory_, temp_;
  Database& database_;
  const TreeMode mode_;
  const std::unique_ptr<KeptTrees> kept_;
  std::atomic<bool> committed_{false};
};

}  // namespace slipway
