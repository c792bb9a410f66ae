// What a check finds wrong in rows, taken away. Each is one transaction that reaches the disk.
#include "base/error.h"
#include "base/strings.h"
#include "content/database.h"
#include "content/sqlite.h"

namespace slipway {
namespace {

constexpr std::string_view kDoing = "repairing it";

struct RawSnapshot {
  std::int64_t id, parent;  // 0: none
};

std::vector<RawSnapshot> raw_snapshots(SqliteConnection& connection) {
  SqliteStatement statement =
      connection.prepare(kDoing, "SELECT id, coalesce(parent, 0) FROM snapshots ORDER BY id");
  std::vector<RawSnapshot> rows;
  while (statement.step()) rows.push_back({statement.integer(0), statement.integer(1)});
  return rows;
}

struct RawLayer {
  std::int64_t snapshot;
  std::string variant, digest;
  std::uint64_t size;
};

std::vector<RawLayer> raw_layers(SqliteConnection& connection) {
  SqliteStatement statement =
      connection.prepare(kDoing, "SELECT snapshot, variant, digest, size FROM layers");
  std::vector<RawLayer> rows;
  while (statement.step())
    rows.push_back(
        {statement.integer(0), statement.text(1), statement.text(2), statement.unsigned_integer(3)});
  return rows;
}

}  // namespace

bool Database::is_well_formed() {
  auto connection = connection_->lock();
  SqliteStatement statement = connection->prepare("checking it", "PRAGMA integrity_check(1)");
  return statement.step() && statement.text(0) == "ok";
}

std::uint64_t Database::remove_dangling_rows() {
  auto connection = connection_->lock();
  SqliteTransaction transaction(*connection, kDoing, SqliteTransaction::Commit::Synced);
  std::int64_t removed = 0;
  for (const std::string_view sql :
       {std::string_view("DELETE FROM layers WHERE snapshot NOT IN (SELECT id FROM snapshots)"),
        std::string_view("DELETE FROM chains WHERE snapshot NOT IN (SELECT id FROM snapshots)"),
        std::string_view("DELETE FROM results WHERE snapshot NOT IN (SELECT id FROM snapshots)"),
        std::string_view("DELETE FROM origins WHERE snapshot NOT IN (SELECT id FROM snapshots)"),
        std::string_view("DELETE FROM cache_names WHERE snapshot NOT IN (SELECT id FROM snapshots)"),
        std::string_view("DELETE FROM outlines WHERE snapshot NOT IN (SELECT id FROM snapshots)"),
        std::string_view("DELETE FROM tree_digests WHERE snapshot NOT IN (SELECT id FROM snapshots)"),
        std::string_view("DELETE FROM result_emulation WHERE snapshot NOT IN (SELECT id FROM snapshots)"),
        std::string_view("DELETE FROM snapshot_uses WHERE snapshot NOT IN (SELECT id FROM snapshots)"),
        std::string_view("DELETE FROM layer_sources WHERE snapshot NOT IN (SELECT id FROM snapshots) OR "
                         "source NOT IN (SELECT id FROM snapshots)")}) {
    connection->prepare(kDoing, sql).run();
    removed += connection->changes();
  }
  transaction.commit();
  return static_cast<std::uint64_t>(removed);
}

std::vector<SnapshotId> Database::remove_snapshots_without(const std::function<bool(SnapshotId)>& is_there) {
  auto connection = connection_->lock();
  SqliteTransaction transaction(*connection, kDoing, SqliteTransaction::Commit::Synced);
  std::set<std::int64_t> sound;
  std::vector<SnapshotId> lost;
  for (const RawSnapshot& row : raw_snapshots(*connection)) {  // a parent's id is smaller
    if ((row.parent == 0 || sound.contains(row.parent)) && is_there({row.id})) {
      sound.insert(row.id);
    } else {
      lost.push_back({row.id});
    }
  }
  for (auto id = lost.rbegin(); id != lost.rend(); ++id)  // children before their parents
    connection->prepare(kDoing, "DELETE FROM snapshots WHERE id = ?").bind(id->value).run();
  transaction.commit();
  return lost;
}

std::vector<std::string> Database::remove_layers_without(
    const std::function<bool(const Digest&, std::uint64_t size)>& is_there) {
  auto connection = connection_->lock();
  SqliteTransaction transaction(*connection, kDoing, SqliteTransaction::Commit::Synced);
  std::vector<std::string> lost;
  for (const RawLayer& row : raw_layers(*connection)) {
    if (Digest::is_valid(row.digest) && is_there(Digest::parse(row.digest), row.size)) continue;
    connection->prepare(kDoing, "DELETE FROM layers WHERE snapshot = ? AND variant = ?")
        .bind(row.snapshot)
        .bind(row.variant)
        .run();
    lost.push_back(concat(row.digest, " of snapshot ", row.snapshot));
  }
  transaction.commit();
  return lost;
}

void Database::remove_images(const std::vector<std::string>& names, const ImageMirror& mirror) {
  auto connection = connection_->lock();
  SqliteTransaction transaction(*connection, kDoing, SqliteTransaction::Commit::Synced);
  for (const std::string& name : names)
    connection->prepare(kDoing, "DELETE FROM images WHERE name = ?").bind(name).run();
  std::vector<ImageRow> left;
  {
    SqliteStatement statement =
        connection->prepare(kDoing, "SELECT name, descriptor, updated FROM images ORDER BY name");
    while (statement.step())
      left.push_back(
          {.name = statement.text(0), .descriptor = statement.text(1), .updated = statement.integer(2)});
  }
  mirror(left);
  transaction.commit();
}

}  // namespace slipway
