#pragma once
// The store's rows, in SQLite (WAL), shared by any number of processes. Private to this module but for what
// the store hands out. Rows point at bytes; whoever adds a row has made the bytes durable, or records that
// they are not yet (snapshots, see store.h).
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "base/synchronized.h"
#include "content/ids.h"
#include "content/lease_kind.h"
#include "content/result_notes.h"
#include "content/step_costs.h"

namespace slipway {

class SqliteConnection;

/// One connection, thread-safe. Every write is one transaction that holds SQLite's write lock from its start,
/// so writes of all processes come one after another; that lock dies with its owner. Throws HostError (newer
/// schema, locked for over 30 s, disk full), SystemError, IntegrityError (not a database).
class Database {
 public:
  /// Opens or creates. Creating must not race with another process (Store::open holds a lock).
  /// `session` is what this process is called in ROOT/tmp; its leases are under that name. Without one,
  /// nothing is leased. `before_new` is called before tables are made where there are none, and may throw.
  explicit Database(const std::filesystem::path& file, std::string session = {},
                    const std::function<void()>& before_new = {});
  ~Database();

  // --- Layers
  // ------------------------------------------------------------------------------------------------------
  struct LayerRecord {
    std::string media_type;
    Digest digest;
    std::uint64_t size;
    Digest diff_id;
  };
  std::optional<LayerRecord> find_layer(SnapshotId snapshot, const std::string& variant);
  /// Throws NotFound if there is no such snapshot.
  void put_layer(SnapshotId snapshot, const std::string& variant, const LayerRecord& record);
  struct LayerRow {
    SnapshotId snapshot;
    std::string variant;
    LayerRecord record;
  };
  std::vector<LayerRow> layers();
  /// `snapshot` changes what `source` changes, so its layers are that one's. Forgotten when either goes.
  void put_layer_source(SnapshotId snapshot, SnapshotId source);
  std::optional<SnapshotId> find_layer_source(SnapshotId snapshot);

  /// Only if the snapshot is still there; leased from now on.
  std::optional<SnapshotId> find_chain(const Digest& chain);
  void put_chain(const Digest& chain, SnapshotId snapshot);
  /// Snapshots that base images' layers were unpacked into.
  std::set<SnapshotId> chain_snapshots();

  // --- Snapshots
  // ---------------------------------------------------------------------------------------------------
  struct SnapshotRow {
    SnapshotId id;
    std::optional<SnapshotId> parent;
    bool amends = false;  ///< its layer is the parent's, as it is now
    std::int64_t created = 0;
  };
  struct NewSnapshot {
    std::optional<SnapshotId> parent;
    bool amends = false;
    std::int64_t created = 0;
    std::string boot;
    std::string outline = {};  ///< of its directory (tree_outline.h); empty: none is kept
  };
  /// Inserts a row that is not yet durable and calls `place` with its id, inside the transaction, to put the
  /// directory where the row says. If `place` throws there is no row. `place` must not use the database.
  /// Throws NotFound if the parent is gone.
  SnapshotId add_snapshot(const NewSnapshot& snapshot, const std::function<void(SnapshotId)>& place);
  std::optional<SnapshotRow> find_snapshot(SnapshotId id);
  /// Base first; empty if there is no such row.
  std::vector<SnapshotRow> snapshot_chain(SnapshotId id);
  std::vector<SnapshotRow> snapshots();
  /// Of the snapshots that have one. Those of older slipways have none.
  std::vector<std::pair<SnapshotId, std::string>> outlines();
  /// Deletes the row and what hangs on it, durably. False if there was none. Throws InvalidInput if it has
  /// children.
  bool remove_snapshot(SnapshotId id);
  /// Deletes, durably, every row that was not durable when the kernel of another boot ended, and what stands
  /// on those.
  std::vector<SnapshotId> drop_snapshots_of_other_boots(const std::string& boot);
  /// The newest snapshot's id, 0 if there is none.
  SnapshotId newest_snapshot();
  void mark_durable_up_to(SnapshotId newest);
  /// Calls `look` with all rows while no process can add or remove one. `look` must not use the database.
  void with_snapshots_held(const std::function<void(const std::vector<SnapshotRow>&)>& look);

  // --- Results
  // -----------------------------------------------------------------------------------------------------
  /// Leased from now on.
  std::optional<SnapshotId> find_result(const Digest& key);
  /// One transaction; a snapshot that has an origin keeps it, a result what is said of its emulation if
  /// `notes` says nothing.
  void put_result(const std::vector<Digest>& keys, SnapshotId snapshot, const std::optional<Digest>& origin,
                  const ResultNotes& notes = {});
  /// Empty: nothing is said of that result.
  std::string find_emulation(const Digest& key, SnapshotId snapshot);
  /// The chain id of what was unpacked, the content key of what a step made; nothing for what is older than
  /// such records.
  std::optional<Digest> find_origin(SnapshotId snapshot);
  /// The one it has, else `fresh` from now on.
  Digest origin_or(SnapshotId snapshot, const Digest& fresh);
  std::optional<Digest> find_cache_name(SnapshotId snapshot);
  void put_cache_name(SnapshotId snapshot, const Digest& name);
  std::optional<Digest> find_tree_digest(SnapshotId snapshot, const Digest& selection);
  void put_tree_digest(SnapshotId snapshot, const Digest& selection, const Digest& digest);

  // --- Leases and uses (database_leases.cc)
  // -----------------------------------------------------------------------------------
  /// What is leased before it is looked at, and is there then, stays until this process ends: removals ask
  /// for leases with SQLite's write lock held. Costs a transaction without an fsync for what was not leased
  /// yet, and nothing after that. Snapshots that this object finds or adds are leased by that.
  /// Returns whether it was not leased yet.
  bool lease(LeaseKind kind, const std::string& target);
  /// At the end of the process. What its death leaves is dropped by drop_leases_except.
  void release_leases();
  /// `living` are the sessions that are there. The caller holds a StoreLock, so no other can begin.
  void drop_leases_except(const std::set<std::string>& living);
  std::set<std::pair<LeaseKind, std::string>> leases();

  struct SnapshotUse {
    SnapshotId snapshot;
    std::int64_t used = 0;   ///< seconds since the epoch
    std::int64_t count = 0;  ///< processes that used it, its maker among them
    std::string description;
  };
  std::vector<SnapshotUse> snapshot_uses();

  /// Deletes, durably, the rows of those that nobody leases and nothing stands on; children come before their
  /// parents in `ids`. Returns those.
  std::vector<SnapshotId> remove_unused_snapshots(const std::vector<SnapshotId>& ids);
  /// Calls `remove` for the blobs that nobody leases, no image needs (`needed` tells, of all images) and no
  /// snapshot was unpacked from. Records of packed layers go first, durably. The callbacks must not use the
  /// database. Returns what `remove` was called for.
  struct ImageRow;
  std::vector<Digest> remove_unused_blobs(
      const std::vector<Digest>& blobs,
      const std::function<std::set<Digest>(const std::vector<ImageRow>&)>& needed,
      const std::function<void(const Digest&)>& remove);
  /// Calls `remove` if nobody leases it, while nobody can. It must not use the database.
  bool remove_unused(LeaseKind kind, const std::string& target, const std::function<void()>& remove);

  // --- What steps cost
  // -----------------------------------------------------------------------------------------------------
  std::optional<StepCost> find_step_cost(const Digest& step);
  /// As StepCosts::record(); afterwards the oldest beyond `capacity` are gone.
  void put_step_costs(const std::map<Digest, StepCost>& costs, std::uint64_t capacity);

  // --- Recorded sizes, and what collections of garbage found (database_sizes.cc)
  // ---------------------------------------------------------
  using Lease = std::pair<LeaseKind, std::string>;
  struct SizeState {
    std::uint64_t total = 0;
    bool complete = false;  ///< false: things may have changed that nobody measured
  };
  SizeState size_state();
  std::set<Lease> sized();
  bool has_size(const Lease& what);
  /// One transaction. What this object leased counts as measured from now on; if what was leased is not
  /// measured when its leases end, or its process dies, the sizes are no longer complete. `complete`, if it
  /// is given, is what they are called from now on.
  void put_sizes(const std::vector<std::pair<Lease, std::uint64_t>>& sizes, const std::vector<Lease>& gone,
                 std::optional<bool> complete);
  /// What this object leases.
  std::set<Lease> own_leases();
  /// When a policy has to be looked at again.
  struct GcMark {
    std::uint64_t above = 0;  ///< once the store takes more than this
    std::int64_t at = 0;      ///< or at this time
    bool stuck = false;       ///< it could not be met: also once an image's name has gone or moved
  };
  std::optional<GcMark> gc_mark(const std::string& policy);
  void put_gc_mark(const std::string& policy, const GcMark& mark);

  // --- Images
  // ------------------------------------------------------------------------------------------------------
  struct ImageRow {
    std::string name;
    std::string descriptor;  ///< JSON
    std::int64_t updated = 0;
  };
  using ImageMirror = std::function<void(const std::vector<ImageRow>& all)>;
  std::optional<ImageRow> find_image(const std::string& name);
  std::vector<ImageRow> images();  ///< sorted by name
  /// Sets rows and calls `mirror` with all there will be, inside the transaction. `mirror` must not use the
  /// database.
  void set_images(const std::vector<ImageRow>& rows, const ImageMirror& mirror);
  bool remove_image(const std::string& name, const ImageMirror& mirror);

  // --- File digests
  // ------------------------------------------------------------------------------------------------
  struct FileDigestRow {
    std::uint64_t device = 0, inode = 0, size = 0;
    std::int64_t mtime_ns = 0, ctime_ns = 0;
    Digest digest;
  };
  /// Of a device, those whose inode numbers are between the two, both included; in their order.
  std::vector<FileDigestRow> file_digests(std::uint64_t device, std::uint64_t first_inode,
                                          std::uint64_t last_inode);
  /// One transaction; afterwards the oldest rows beyond `capacity` are gone.
  void put_file_digests(const std::vector<FileDigestRow>& rows, std::uint64_t capacity);

  /// What SQLite itself finds wrong (integrity_check, foreign_key_check); empty if nothing.
  std::vector<std::string> integrity_problems();

  // --- Repairs (database_repair.cc), each durable
  // --------------------------------------------------------------------------------
  bool is_well_formed();
  /// Of snapshots that are not there. Returns how many.
  std::uint64_t remove_dangling_rows();
  /// And those that stand on them. `is_there` must not use the database.
  std::vector<SnapshotId> remove_snapshots_without(const std::function<bool(SnapshotId)>& is_there);
  /// `is_there` must not use the database. Returns what they are called.
  std::vector<std::string> remove_layers_without(
      const std::function<bool(const Digest&, std::uint64_t size)>& is_there);
  void remove_images(const std::vector<std::string>& names, const ImageMirror& mirror);

 private:
  /// In a transaction of the caller's.
  void lease_snapshot(SqliteConnection& connection, SnapshotId id);
  std::optional<SnapshotId> find_and_lease(std::string_view doing, std::string_view sql,
                                           const std::string& key);

  std::unique_ptr<Synchronized<SqliteConnection>> connection_;
  const std::string session_;
  std::set<Lease> leased_;   ///< by this object, committed; under connection_'s lock
  bool unmeasured_ = false;  ///< something was leased since put_sizes; likewise
};

}  // namespace slipway
