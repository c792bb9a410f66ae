#pragma once
// Root file systems as chains of directories, mounted with overlayfs. A snapshot is what one step changed,
// above its parent. Whiteouts and opaque directories are kept as overlayfs keeps them (kernel docs,
// filesystems/overlayfs.rst: 0/0 character devices; trusted.overlay.opaque, or user.overlay.opaque with
// "userxattr" inside a user namespace). Invariant: a snapshot's row is there only while its directory is.
// snapshots.cc says how that outlives kill -9.
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "content/ids.h"

namespace slipway {

class Database;

struct SnapshotInfo {
  SnapshotId id;
  std::optional<SnapshotId> parent;
  std::int64_t created = 0;  ///< seconds since the epoch: when the step that made it ended
};

/// A mounted tree; unmounted when destroyed. Move-only.
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
};

/// A snapshot being made: a writable tree above a parent. Destroyed without commit: removed.
class ActiveSnapshot {
 public:
  ActiveSnapshot(ActiveSnapshot&&) noexcept;
  ~ActiveSnapshot();
  /// The merged, writable root.
  const std::filesystem::path& root() const;
  /// What has been written so far (overlayfs's upper directory; the root itself without a parent).
  const std::filesystem::path& upper() const { return upper_; }

 private:
  friend class SnapshotStore;
  ActiveSnapshot() = default;
  std::filesystem::path directory_, upper_;
  std::optional<SnapshotId> parent_;
  std::optional<MountedTree> mount_;
};

/// Thread-safe; safe with other processes on the same store. Needs the right to mount overlayfs (root, or
/// root of a user namespace with its own mount namespace).
class SnapshotStore {
 public:
  SnapshotStore(std::filesystem::path directory, std::filesystem::path temp_directory, Database& database);

  /// Throws SystemError, HostError if overlayfs is not to be had.
  ActiveSnapshot prepare(const std::optional<SnapshotId>& parent);
  /// The same without a mount: root() is upper(), the directory of this snapshot's own changes. For unpacking
  /// layers, which write whiteouts and opaque marks as overlayfs keeps them; changing upper() below a live
  /// mount is undefined.
  ActiveSnapshot prepare_unmounted(const std::optional<SnapshotId>& parent);
  /// A writable tree above a plain directory, which nobody changes meanwhile. It cannot be committed.
  ActiveSnapshot prepare_above(const std::filesystem::path& directory);
  /// Unmounts and records it. `created` is seconds since the epoch. Its bytes outlive a kill, but not yet a
  /// power cut (store.h). Throws NotFound if the parent was removed meanwhile; nothing remains then.
  SnapshotId commit(ActiveSnapshot&& active, std::int64_t created);

  /// A read-only view of the whole tree.
  MountedTree view(SnapshotId id);
  /// Throws NotFound.
  SnapshotInfo info(SnapshotId id) const;
  bool exists(SnapshotId id) const;
  /// The snapshot and its ancestors, base first.
  std::vector<SnapshotId> chain(SnapshotId id) const;
  /// The directory of what this snapshot alone changed.
  std::filesystem::path diff_directory(SnapshotId id) const;
  /// Removes it with all that depends on it being there (cache records, layer records). Throws NotFound, and
  /// InvalidInput if another snapshot stands on it.
  void remove(SnapshotId id);
  std::vector<SnapshotId> list() const;  ///< by age, oldest first
  /// True once commit() has succeeded here: there are snapshots that a power cut could still damage.
  bool has_committed() const { return committed_; }

 private:
  static void mount_active(ActiveSnapshot& active, const std::filesystem::path& base,
                           std::vector<std::string> lower);

  std::filesystem::path directory_, temp_;
  Database& database_;
  std::atomic<bool> committed_{false};
};

}  // namespace slipway
