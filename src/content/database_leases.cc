// Who holds what, when it was used, and the removals that ask for both. A lease and a removal each hold
// SQLite's write lock from start to end, so one of them sees what the other did: either the lease comes first
// and nothing is removed, or the removal does and who leased finds nothing there.
#include <algorithm>
#include <ctime>

#include "content/database.h"
#include "content/sqlite.h"

namespace slipway {
namespace {

bool is_leased(SqliteConnection& connection, LeaseKind kind, const std::string& target) {
  SqliteStatement statement =
      connection.prepare("looking up a lease", "SELECT 1 FROM leases WHERE kind = ? AND target = ? LIMIT 1");
  return statement.bind(static_cast<std::int64_t>(kind)).bind(target).step();
}

void put_lease(SqliteConnection& connection, const std::string& session, LeaseKind kind,
               const std::string& target) {
  connection
      .prepare("recording a lease", "INSERT OR IGNORE INTO leases (session, kind, target) VALUES (?, ?, ?)")
      .bind(session)
      .bind(static_cast<std::int64_t>(kind))
      .bind(target)
      .run();
}

std::optional<SnapshotId> find_id(SqliteConnection& connection, std::string_view doing, std::string_view sql,
                                  const std::string& key) {
  SqliteStatement statement = connection.prepare(doing, sql);
  if (!statement.bind(key).step()) return std::nullopt;
  return SnapshotId{statement.integer(0)};
}

bool has_rows(SqliteConnection& connection, std::string_view sql, const std::string& key) {
  SqliteStatement statement = connection.prepare("looking for what needs it", sql);
  return statement.bind(key).step();
}

void distrust_sizes(SqliteConnection& connection) {
  connection
      .prepare("recording that sizes are not complete",
               "UPDATE store_total SET complete = 0 WHERE complete = 1")
      .run();
}

std::vector<Database::ImageRow> images_of(SqliteConnection& connection) {
  SqliteStatement statement =
      connection.prepare("listing images to keep", "SELECT name, descriptor, updated FROM images");
  std::vector<Database::ImageRow> rows;
  while (statement.step())
    rows.push_back(
        {.name = statement.text(0), .descriptor = statement.text(1), .updated = statement.integer(2)});
  return rows;
}

}  // namespace

bool Database::lease(LeaseKind kind, const std::string& target) {
  if (session_.empty()) return false;
  auto connection = connection_->lock();
  if (leased_.contains({kind, target})) return false;
  SqliteTransaction transaction(*connection, "recording a lease", SqliteTransaction::Commit::Passing);
  put_lease(*connection, session_, kind, target);
  transaction.commit();
  leased_.emplace(kind, target);
  unmeasured_ = true;
  return true;
}

void Database::lease_snapshot(SqliteConnection& connection, SnapshotId id) {
  if (session_.empty()) return;
  put_lease(connection, session_, LeaseKind::Snapshot, std::to_string(id.value));
  connection
      .prepare("recording a use",
               "INSERT INTO snapshot_uses (snapshot, used, count) VALUES (?, ?, 1) ON CONFLICT (snapshot) "
               "DO UPDATE SET used = excluded.used, count = count + 1")
      .bind(id.value)
      .bind(static_cast<std::int64_t>(std::time(nullptr)))
      .run();
}

std::optional<SnapshotId> Database::find_and_lease(std::string_view doing, std::string_view sql,
                                                   const std::string& key) {
  auto connection = connection_->lock();
  std::optional<SnapshotId> id = find_id(*connection, doing, sql, key);
  if (!id || session_.empty() || leased_.contains({LeaseKind::Snapshot, std::to_string(id->value)}))
    return id;
  SqliteTransaction transaction(*connection, doing, SqliteTransaction::Commit::Passing);
  id = find_id(*connection, doing, sql, key);  // it may have gone since
  if (!id) return id;
  lease_snapshot(*connection, *id);
  transaction.commit();
  leased_.emplace(LeaseKind::Snapshot, std::to_string(id->value));
  unmeasured_ = true;
  return id;
}

void Database::release_leases() {
  auto connection = connection_->lock();
  if (leased_.empty()) return;
  SqliteTransaction transaction(*connection, "ending leases", SqliteTransaction::Commit::Passing);
  connection->prepare("ending leases", "DELETE FROM leases WHERE session = ?").bind(session_).run();
  if (unmeasured_) distrust_sizes(*connection);
  transaction.commit();
  leased_.clear();
  unmeasured_ = false;
}

void Database::drop_leases_except(const std::set<std::string>& living) {
  constexpr std::string_view kDoing = "dropping leases of dead processes";
  auto connection = connection_->lock();
  std::vector<std::string> dead;
  {
    SqliteStatement statement = connection->prepare(kDoing, "SELECT DISTINCT session FROM leases");
    while (statement.step())
      if (std::string session = statement.text(0); !living.contains(session))
        dead.push_back(std::move(session));
  }
  if (dead.empty()) return;
  SqliteTransaction transaction(*connection, kDoing);
  for (const std::string& session : dead)
    connection->prepare(kDoing, "DELETE FROM leases WHERE session = ?").bind(session).run();
  distrust_sizes(*connection);
  transaction.commit();
}

std::set<std::pair<LeaseKind, std::string>> Database::leases() {
  auto connection = connection_->lock();
  SqliteStatement statement = connection->prepare("listing leases", "SELECT kind, target FROM leases");
  std::set<std::pair<LeaseKind, std::string>> leases;
  while (statement.step()) leases.emplace(static_cast<LeaseKind>(statement.integer(0)), statement.text(1));
  return leases;
}

std::vector<Database::SnapshotUse> Database::snapshot_uses() {
  auto connection = connection_->lock();
  SqliteStatement statement =
      connection->prepare("listing uses", "SELECT snapshot, used, count, description FROM snapshot_uses");
  std::vector<SnapshotUse> uses;
  while (statement.step())
    uses.push_back({.snapshot = {statement.integer(0)},
                    .used = statement.integer(1),
                    .count = statement.integer(2),
                    .description = statement.text(3)});
  return uses;
}

std::vector<SnapshotId> Database::remove_unused_snapshots(const std::vector<SnapshotId>& ids) {
  constexpr std::string_view kDoing = "removing snapshots";
  auto connection = connection_->lock();
  // Synced: a power cut must not bring a row back when its directory is gone.
  SqliteTransaction transaction(*connection, kDoing, SqliteTransaction::Commit::Synced);
  std::vector<SnapshotId> removed;
  for (const SnapshotId id : ids) {
    const std::string text = std::to_string(id.value);
    if (is_leased(*connection, LeaseKind::Snapshot, text)) continue;
    if (has_rows(*connection, "SELECT 1 FROM snapshots WHERE parent = CAST(? AS INTEGER) LIMIT 1", text))
      continue;
    connection->prepare(kDoing, "DELETE FROM snapshots WHERE id = ?").bind(id.value).run();
    if (connection->changes() > 0) removed.push_back(id);
  }
  transaction.commit();
  return removed;
}

std::vector<Digest> Database::remove_unused_blobs(
    const std::vector<Digest>& blobs,
    const std::function<std::set<Digest>(const std::vector<ImageRow>&)>& needed,
    const std::function<void(const Digest&)>& remove) {
  constexpr std::string_view kDoing = "removing blobs";
  auto connection = connection_->lock();
  std::vector<Digest> unused;
  {
    SqliteTransaction transaction(*connection, kDoing, SqliteTransaction::Commit::Synced);
    const std::set<Digest> of_images = needed(images_of(*connection));
    for (const Digest& blob : blobs) {
      if (of_images.contains(blob) || is_leased(*connection, LeaseKind::Blob, blob.str())) continue;
      if (has_rows(*connection, "SELECT 1 FROM layers WHERE digest = ? AND variant = 'pulled' LIMIT 1",
                   blob.str()))
        continue;
      connection->prepare(kDoing, "DELETE FROM layers WHERE digest = ?").bind(blob.str()).run();
      unused.push_back(blob);
    }
    transaction.commit();
  }
  // Between the two, a build may have wanted one, or recorded that a layer is one. What is killed here leaves
  // bytes without a row, which the next pruning finds.
  const SqliteTransaction held(*connection, kDoing);
  const std::set<Digest> of_images = needed(images_of(*connection));
  std::erase_if(unused, [&](const Digest& blob) {
    return of_images.contains(blob) || is_leased(*connection, LeaseKind::Blob, blob.str()) ||
           has_rows(*connection, "SELECT 1 FROM layers WHERE digest = ? LIMIT 1", blob.str());
  });
  for (const Digest& blob : unused) remove(blob);
  return unused;
}

bool Database::remove_unused(LeaseKind kind, const std::string& target, const std::function<void()>& remove) {
  auto connection = connection_->lock();
  const SqliteTransaction held(*connection, "removing what nobody uses");
  if (is_leased(*connection, kind, target)) return false;
  remove();
  return true;
}

}  // namespace slipway
