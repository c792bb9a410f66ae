#include <string_view>

#include "base/error.h"
#include "base/strings.h"
#include "content/database.h"
#include "content/sqlite.h"

namespace slipway {
namespace {

std::optional<std::int64_t> value_of(const std::optional<SnapshotId>& id) {
  if (!id) return std::nullopt;
  return id->value;
}

/// A row of (id, parent, created, amends).
Database::SnapshotRow snapshot_from(const SqliteStatement& row) {
  Database::SnapshotRow snapshot{
      .id = {row.integer(0)}, .parent = {}, .amends = row.integer(3) != 0, .created = row.integer(2)};
  if (!row.is_null(1)) snapshot.parent = SnapshotId{row.integer(1)};
  return snapshot;
}

std::vector<Database::SnapshotRow> all_snapshots(SqliteConnection& connection) {
  std::vector<Database::SnapshotRow> rows;
  SqliteStatement statement =
      connection.prepare("listing snapshots", "SELECT id, parent, created, amends FROM snapshots ORDER BY id");
  while (statement.step()) rows.push_back(snapshot_from(statement));
  return rows;
}

}  // namespace

SnapshotId Database::add_snapshot(const NewSnapshot& snapshot,
                                  const std::function<void(SnapshotId)>& place) {
  constexpr std::string_view kDoing = "recording a snapshot";
  auto connection = connection_->lock();
  SqliteTransaction transaction(*connection, kDoing);
  connection
      ->prepare(kDoing,
                "INSERT INTO snapshots (parent, amends, created, durable, boot_id) VALUES (?, ?, ?, 0, ?)")
      .bind(value_of(snapshot.parent))
      .bind(static_cast<std::int64_t>(snapshot.amends))
      .bind(snapshot.created)
      .bind(snapshot.boot)
      .run();
  const SnapshotId id{connection->last_insert_id()};
  if (!snapshot.outline.empty())
    connection->prepare(kDoing, "INSERT INTO outlines (snapshot, outline) VALUES (?, ?)")
        .bind(id.value)
        .bind(snapshot.outline)
        .run();
  place(id);
  lease_snapshot(*connection, id);
  transaction.commit();
  leased_.emplace(LeaseKind::Snapshot, std::to_string(id.value));
  unmeasured_ = true;
  return id;
}

std::optional<Database::SnapshotRow> Database::find_snapshot(SnapshotId id) {
  auto connection = connection_->lock();
  SqliteStatement statement = connection->prepare(
      "looking up a snapshot", "SELECT id, parent, created, amends FROM snapshots WHERE id = ?");
  if (!statement.bind(id.value).step()) return std::nullopt;
  return snapshot_from(statement);
}

std::vector<std::pair<SnapshotId, std::string>> Database::outlines() {
  auto connection = connection_->lock();
  SqliteStatement statement =
      connection->prepare("reading outlines", "SELECT snapshot, outline FROM outlines ORDER BY snapshot");
  std::vector<std::pair<SnapshotId, std::string>> all;
  while (statement.step()) all.emplace_back(SnapshotId{statement.integer(0)}, statement.text(1));
  return all;
}

std::vector<Database::SnapshotRow> Database::snapshot_chain(SnapshotId id) {
  auto connection = connection_->lock();
  // A parent's id is smaller than its children's; the condition also ends the recursion in a damaged
  // database.
  SqliteStatement statement = connection->prepare(
      "reading a snapshot's ancestors",
      "WITH RECURSIVE up(id, parent, created, amends) AS ("
      "SELECT id, parent, created, amends FROM snapshots WHERE id = ? UNION ALL "
      "SELECT s.id, s.parent, s.created, s.amends FROM snapshots s, up "
      "WHERE s.id = up.parent AND s.id < up.id) "
      "SELECT id, parent, created, amends FROM up ORDER BY id");
  statement.bind(id.value);
  std::vector<SnapshotRow> chain;
  while (statement.step()) chain.push_back(snapshot_from(statement));
  return chain;
}

std::vector<Database::SnapshotRow> Database::snapshots() { return all_snapshots(*connection_->lock()); }

bool Database::remove_snapshot(SnapshotId id) {
  constexpr std::string_view kDoing = "removing a snapshot";
  auto connection = connection_->lock();
  // Synced: a power cut must not bring the row back when its directory is gone.
  SqliteTransaction transaction(*connection, kDoing, SqliteTransaction::Commit::Synced);
  {
    SqliteStatement children =
        connection->prepare(kDoing, "SELECT id FROM snapshots WHERE parent = ? LIMIT 1");
    if (children.bind(id.value).step())
      throw InvalidInput(concat("snapshot ", id.value, " cannot be removed: snapshot ", children.integer(0),
                                " stands on it"));
  }
  connection->prepare(kDoing, "DELETE FROM snapshots WHERE id = ?").bind(id.value).run();
  const bool removed = connection->changes() > 0;
  transaction.commit();
  return removed;
}

std::vector<SnapshotId> Database::drop_snapshots_of_other_boots(const std::string& boot) {
  constexpr std::string_view kDoing = "dropping snapshots that a power cut may have damaged";
  auto connection = connection_->lock();
  {
    SqliteStatement lost =
        connection->prepare(kDoing, "SELECT 1 FROM snapshots WHERE durable = 0 AND boot_id <> ? LIMIT 1");
    if (!lost.bind(boot).step()) return {};
  }
  SqliteTransaction transaction(*connection, kDoing, SqliteTransaction::Commit::Synced);
  std::vector<SnapshotId> dropped;
  {
    SqliteStatement lost = connection->prepare(
        kDoing,
        "WITH RECURSIVE lost(id) AS (SELECT id FROM snapshots WHERE durable = 0 AND boot_id <> ? UNION "
        "SELECT s.id FROM snapshots s, lost WHERE s.parent = lost.id) SELECT id FROM lost ORDER BY id DESC");
    lost.bind(boot);
    while (lost.step()) dropped.push_back({lost.integer(0)});
  }
  // Newest first, hence children before their parents.
  for (const SnapshotId id : dropped)
    connection->prepare(kDoing, "DELETE FROM snapshots WHERE id = ?").bind(id.value).run();
  transaction.commit();
  return dropped;
}

SnapshotId Database::newest_snapshot() {
  auto connection = connection_->lock();
  SqliteStatement statement = connection->prepare("looking up a snapshot", "SELECT max(id) FROM snapshots");
  return statement.step() ? SnapshotId{statement.integer(0)} : SnapshotId{};
}

void Database::mark_durable_up_to(SnapshotId newest) {
  constexpr std::string_view kDoing = "recording that snapshots are durable";
  auto connection = connection_->lock();
  SqliteTransaction transaction(*connection, kDoing);
  connection->prepare(kDoing, "UPDATE snapshots SET durable = 1 WHERE durable = 0 AND id <= ?")
      .bind(newest.value)
      .run();
  transaction.commit();
}

void Database::with_snapshots_held(const std::function<void(const std::vector<SnapshotRow>&)>& look) {
  auto connection = connection_->lock();
  const SqliteTransaction transaction(*connection, "holding the list of snapshots");
  look(all_snapshots(*connection));
}

}  // namespace slipway
