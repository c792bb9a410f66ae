#pragma once
// The store: an OCI image layout (oci-layout, index.json, blobs/) plus snapshots and an SQLite database
// (WAL). Several processes share one store without a daemon. Order of writing is the invariant: bytes become
// durable first, the row that points at them second, so kill -9 at any instant loses at most the step in
// flight. Layout and invariants: docs/architecture.md, "The store".
//
//   ROOT/oci-layout, index.json, blobs/sha256/HEX   an OCI image layout that other tools can read
//   ROOT/slipway.db                                 names, layers, snapshots, results, file digests
//   ROOT/snapshots/ID/fs                            what one snapshot changed (snapshots.h)
//   ROOT/tmp/session-XXXXXX/                          one directory a process, with a lock file that it holds
//   ROOT/overlay-attributes                         where snapshots keep overlayfs's marks: trusted or user
//   ROOT/lock, spare                                held while a session is made; room (spare_space.h)
//   ROOT/cache-mounts/                              directories that steps keep (cache_mounts.h)
//   ROOT/locks/                                     steps that run now (step_locks.h)
//   ROOT/logs/, ROOT/git/, ROOT/http/               steps' output; what remote sources came from (nodes)
//
// Against kill -9: blobs and snapshots get their names by rename; whoever opens the store next removes the
// directories of dead processes and, having found one, also snapshot directories that no row stands for.
// Nothing of a living process is touched. Against a power cut: blobs are fsynced at once. Snapshots are many
// small files, so their rows say "not durable" and which run of the kernel made them; a store that closes in
// order syncs its file system once and marks them durable. Rows that are not, and are of another run, are
// dropped at the next open, with what stands on them.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/logger.h"
#include "base/synchronized.h"
#include "content/blob_store.h"
#include "content/cache_mounts.h"
#include "content/ids.h"
#include "content/lease_kind.h"
#include "content/result_notes.h"
#include "content/snapshots.h"
#include "content/step_locks.h"
#include "manifest/image_ref.h"
#include "manifest/oci.h"

namespace slipway {

class Database;
class StoreSession;

/// What a file is by its identity, so that contexts are not read twice. Thread-safe.
class FileDigests {
 public:
  struct Identity {
    std::uint64_t device = 0, inode = 0, size = 0;
    std::int64_t mtime_ns = 0, ctime_ns = 0;
    auto operator<=>(const Identity&) const = default;
  };
  explicit FileDigests(Database& database);
  ~FileDigests();
  std::optional<Digest> find(const Identity& identity);
  /// Kept in memory until flush().
  void remember(const Identity& identity, const Digest& digest);
  /// One transaction. The oldest beyond a million are forgotten.
  void flush();

 private:
  Database& database_;
  struct Pending;
  std::unique_ptr<Pending> pending_;
};

struct StoredImage {
  ImageRef name;
  Descriptor descriptor;     ///< an index or a manifest in blobs/
  std::int64_t updated = 0;  ///< seconds since the epoch
};

/// Names of images in the store; kept in the database and mirrored in index.json with
/// org.opencontainers.image.ref.name, so that other tools read the store as an OCI layout. Thread-safe.
class ImageNames {
 public:
  ImageNames(Database& database, std::filesystem::path root) : database_(database), root_(std::move(root)) {}
  std::optional<StoredImage> find(const ImageRef& name);
  /// Sets all names in one transaction.
  void set(const std::vector<ImageRef>& names, const Descriptor& descriptor);
  bool remove(const ImageRef& name);
  std::vector<StoredImage> list();
  /// For names that may be none.
  void remove_rows(const std::vector<std::string>& names);
  /// Writes index.json anew from the names.
  void rewrite_index();

 private:
  Database& database_;
  std::filesystem::path root_;
};

/// Step results by cache key. Thread-safe.
class ResultRecords {
 public:
  /// `is_whole`: whether all of a snapshot is there.
  ResultRecords(Database& database, std::function<bool(SnapshotId)> is_whole)
      : database_(database), is_whole_(std::move(is_whole)) {}
  /// A record whose snapshot is gone, or damaged, is no hit.
  std::optional<SnapshotId> find(const Digest& key);
  /// How the emulated steps in it were run (nodes/emulation_marks.h); empty: that is not recorded.
  std::string emulation_of(const Digest& key, SnapshotId snapshot);
  /// If the snapshot has no origin yet, the key is it.
  void put(const Digest& key, SnapshotId snapshot, const ResultNotes& notes = {});
  /// Under both keys of its step at once; its origin is the content key.
  void put(const Digest& definition, const Digest& content, SnapshotId snapshot,
           const ResultNotes& notes = {});

  /// The snapshot that was last put there: of a thing that is made again and again, never the same.
  void put_latest(const Digest& name, SnapshotId snapshot);

  /// What names the tree of `snapshot` in any store: the chain id of unpacked layers, or the key of what made
  /// it first. Nothing for a snapshot that is older than such records.
  std::optional<Digest> origin(SnapshotId snapshot);
  /// The same, but a snapshot without a name gets one that no other store has.
  Digest name_of(SnapshotId snapshot);
  /// What caches outside the store call its tree, if that is another name. Nobody has proved that it is that
  /// tree: only for what is asked of caches and told to them, by builds that take from some.
  std::optional<Digest> name_in_caches(SnapshotId snapshot);
  void remember_name_in_caches(SnapshotId snapshot, const Digest& name);
  /// The digest of a part of a snapshot's tree, which never changes; nothing if it was not remembered.
  std::optional<Digest> tree_digest(SnapshotId snapshot, const Digest& selection);
  void remember_tree_digest(SnapshotId snapshot, const Digest& selection, const Digest& digest);

 private:
  Database& database_;
  std::function<bool(SnapshotId)> is_whole_;
};

/// One finding of a check; `fatal` findings make `slipway store check` exit 3.
struct StoreProblem {
  std::string what;
  bool fatal = true;
};

class Store {
 public:
  /// Creates what is missing; clears what dead processes left in tmp/. Throws SystemError, HostError for a
  /// store of a newer slipway.
  static std::unique_ptr<Store> open(const std::filesystem::path& root, Logger& logger,
                                     TreeMode trees = TreeMode::Overlay);
  ~Store();

  const std::filesystem::path& root() const { return root_; }
  BlobStore& blobs() { return blobs_; }
  SnapshotStore& snapshots() { return *snapshots_; }
  ImageNames& images() { return *images_; }
  ResultRecords& results() { return *results_; }
  CacheMounts& cache_mounts() { return cache_mounts_; }
  StepLocks& step_locks() { return step_locks_; }
  FileDigests& file_digests() { return *file_digests_; }
  Database& database() { return *database_; }
  Logger& logger() { return logger_; }
  /// Says that this process uses something that is no snapshot and no blob (those say so themselves), before
  /// it looks for it or makes it: nobody prunes it while the process lives.
  void lease(LeaseKind kind, const std::string& target);
  /// Whether the directories of a snapshot and of all that it stands on are there, as the rows say. Warns once
  /// of each that is not.
  bool is_whole(SnapshotId snapshot);
  /// For anything that must be on the store's file system; the caller's directory in it dies with its
  /// process.
  const std::filesystem::path& temp_directory() const { return temp_; }
  std::filesystem::path log_directory() const { return root_ / "logs"; }

  /// Every row points at bytes that are there and right; if `read`, every blob has its digest and every
  /// snapshot is as it was made, as far as that can be told (snapshot_check.h); no mount and no half-made thing
  /// of a dead process remains. Repairs nothing.
  std::vector<StoreProblem> check(bool read);

 private:
  Store(std::filesystem::path root, Logger& logger, TreeMode trees, std::unique_ptr<StoreSession> session,
        std::unique_ptr<Database> database);
  void recover();
  void make_durable();
  void note_blob_use(const Digest& digest);
  std::filesystem::path root_, temp_;
  Logger& logger_;
  std::unique_ptr<StoreSession> session_;  ///< outlives what writes to its directory
  BlobStore blobs_;
  CacheMounts cache_mounts_;
  StepLocks step_locks_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<SnapshotStore> snapshots_;
  std::unique_ptr<ImageNames> images_;
  std::unique_ptr<ResultRecords> results_;
  std::unique_ptr<FileDigests> file_digests_;
  Synchronized<std::set<SnapshotId>> whole_, lost_;  ///< as far as they were looked at
};

/// --root, else SLIPWAY_ROOT, else /var/lib/slipway as root, else $XDG_DATA_HOME/slipway
/// (~/.local/share/slipway).
std::filesystem::path default_store_root();

}  // namespace slipway
