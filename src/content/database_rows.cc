// Layers, chains, results, images and file digests. Snapshots are in database_snapshots.cc.
#include <string_view>

#include "base/error.h"
#include "base/strings.h"
#include "content/database.h"
#include "content/sqlite.h"

namespace slipway {
namespace {

Database::LayerRecord layer_from(const SqliteStatement& row, int first) {
  return {.media_type = row.text(first),
          .digest = Digest::parse(row.text(first + 1)),
          .size = row.unsigned_integer(first + 2),
          .diff_id = Digest::parse(row.text(first + 3))};
}

std::vector<Database::ImageRow> all_images(SqliteConnection& connection) {
  std::vector<Database::ImageRow> rows;
  SqliteStatement statement =
      connection.prepare("listing images", "SELECT name, descriptor, updated FROM images ORDER BY name");
  while (statement.step())
    rows.push_back(
        {.name = statement.text(0), .descriptor = statement.text(1), .updated = statement.integer(2)});
  return rows;
}

/// What an image no longer needs may go now.
void loosen_gc_marks(SqliteConnection& connection, std::string_view doing) {
  connection.prepare(doing, "UPDATE gc_marks SET above = 0, stuck = 0 WHERE stuck = 1").run();
}

void drop_oldest_file_digests(SqliteConnection& connection, std::uint64_t capacity) {
  constexpr std::string_view kDoing = "forgetting old file digests";
  // A row that is written again gets a new rowid, so rowids are in order of age, and their range bounds the
  // number of rows: counting a million of them on each flush would cost more than the flush.
  SqliteStatement range = connection.prepare(
      kDoing, "SELECT (SELECT max(rowid) FROM file_digests) - (SELECT min(rowid) FROM file_digests) + 1");
  if (!range.step() || range.unsigned_integer(0) <= capacity) return;
  connection
      .prepare(kDoing,
               "DELETE FROM file_digests WHERE rowid <= (SELECT rowid FROM file_digests ORDER BY rowid DESC "
               "LIMIT 1 OFFSET ?)")
      .bind(capacity)
      .run();
}

}  // namespace

std::optional<Database::LayerRecord> Database::find_layer(SnapshotId snapshot, const std::string& variant) {
  auto connection = connection_->lock();
  SqliteStatement statement = connection->prepare(
      "looking up a layer",
      "SELECT media_type, digest, size, diff_id FROM layers WHERE snapshot = ? AND variant = ?");
  if (!statement.bind(snapshot.value).bind(variant).step()) return std::nullopt;
  return layer_from(statement, 0);
}

void Database::put_layer(SnapshotId snapshot, const std::string& variant, const LayerRecord& record) {
  constexpr std::string_view kDoing = "recording a layer";
  auto connection = connection_->lock();
  SqliteTransaction transaction(*connection, kDoing);
  connection
      ->prepare(kDoing,
                "INSERT OR REPLACE INTO layers (snapshot, variant, media_type, digest, size, diff_id) "
                "VALUES (?, ?, ?, ?, ?, ?)")
      .bind(snapshot.value)
      .bind(variant)
      .bind(record.media_type)
      .bind(record.digest.str())
      .bind(record.size)
      .bind(record.diff_id.str())
      .run();
  transaction.commit();
}

std::vector<Database::LayerRow> Database::layers() {
  auto connection = connection_->lock();
  SqliteStatement statement = connection->prepare(
      "listing layers",
      "SELECT snapshot, variant, media_type, digest, size, diff_id FROM layers ORDER BY snapshot, variant");
  std::vector<LayerRow> rows;
  while (statement.step())
    rows.push_back({.snapshot = {statement.integer(0)},
                    .variant = statement.text(1),
                    .record = layer_from(statement, 2)});
  return rows;
}

void Database::put_layer_source(SnapshotId snapshot, SnapshotId source) {
  constexpr std::string_view kDoing = "recording whose layer a snapshot's is";
  auto connection = connection_->lock();
  SqliteTransaction transaction(*connection, kDoing);
  connection->prepare(kDoing, "INSERT OR REPLACE INTO layer_sources (snapshot, source) VALUES (?, ?)")
      .bind(snapshot.value)
      .bind(source.value)
      .run();
  transaction.commit();
}

std::optional<SnapshotId> Database::find_layer_source(SnapshotId snapshot) {
  return find_and_lease("looking up whose layer a snapshot's is",
                        "SELECT source FROM layer_sources WHERE snapshot = CAST(? AS INTEGER)",
                        std::to_string(snapshot.value));
}

std::optional<SnapshotId> Database::find_chain(const Digest& chain) {
  return find_and_lease("looking up a layer chain", "SELECT snapshot FROM chains WHERE chain_id = ?",
                        chain.str());
}

void Database::put_chain(const Digest& chain, SnapshotId snapshot) {
  constexpr std::string_view kDoing = "recording a layer chain";
  auto connection = connection_->lock();
  SqliteTransaction transaction(*connection, kDoing);
  connection->prepare(kDoing, "INSERT OR REPLACE INTO chains (chain_id, snapshot) VALUES (?, ?)")
      .bind(chain.str())
      .bind(snapshot.value)
      .run();
  connection->prepare(kDoing, "INSERT OR IGNORE INTO origins (snapshot, origin) VALUES (?, ?)")
      .bind(snapshot.value)
      .bind(chain.str())
      .run();
  transaction.commit();
}

std::optional<SnapshotId> Database::find_result(const Digest& key) {
  return find_and_lease("looking up a step's result", "SELECT snapshot FROM results WHERE key = ?",
                        key.str());
}

std::set<SnapshotId> Database::chain_snapshots() {
  auto connection = connection_->lock();
  SqliteStatement statement =
      connection->prepare("listing layer chains", "SELECT DISTINCT snapshot FROM chains");
  std::set<SnapshotId> snapshots;
  while (statement.step()) snapshots.insert({statement.integer(0)});
  return snapshots;
}

std::optional<Database::ImageRow> Database::find_image(const std::string& name) {
  auto connection = connection_->lock();
  SqliteStatement statement =
      connection->prepare("looking up an image", "SELECT descriptor, updated FROM images WHERE name = ?");
  if (!statement.bind(name).step()) return std::nullopt;
  return ImageRow{.name = name, .descriptor = statement.text(0), .updated = statement.integer(1)};
}

std::vector<Database::ImageRow> Database::images() { return all_images(*connection_->lock()); }

void Database::set_images(const std::vector<ImageRow>& rows, const ImageMirror& mirror) {
  constexpr std::string_view kDoing = "naming images";
  auto connection = connection_->lock();
  SqliteTransaction transaction(*connection, kDoing, SqliteTransaction::Commit::Synced);
  for (const ImageRow& row : rows)
    connection->prepare(kDoing, "INSERT OR REPLACE INTO images (name, descriptor, updated) VALUES (?, ?, ?)")
        .bind(row.name)
        .bind(row.descriptor)
        .bind(row.updated)
        .run();
  loosen_gc_marks(*connection, kDoing);
  mirror(all_images(*connection));
  transaction.commit();
}

bool Database::remove_image(const std::string& name, const ImageMirror& mirror) {
  constexpr std::string_view kDoing = "removing an image's name";
  auto connection = connection_->lock();
  SqliteTransaction transaction(*connection, kDoing, SqliteTransaction::Commit::Synced);
  connection->prepare(kDoing, "DELETE FROM images WHERE name = ?").bind(name).run();
  if (connection->changes() == 0) return false;
  loosen_gc_marks(*connection, kDoing);
  mirror(all_images(*connection));
  transaction.commit();
  return true;
}

std::vector<Database::FileDigestRow> Database::file_digests(std::uint64_t device, std::uint64_t first_inode,
                                                            std::uint64_t last_inode) {
  auto connection = connection_->lock();
  SqliteStatement statement =
      connection->prepare("looking up files' digests",
                          "SELECT inode, size, mtime_ns, ctime_ns, digest FROM file_digests "
                          "WHERE device = ? AND inode BETWEEN ? AND ? ORDER BY inode");
  statement.bind(device).bind(first_inode).bind(last_inode);
  std::vector<FileDigestRow> rows;
  while (statement.step())
    rows.push_back({.device = device,
                    .inode = static_cast<std::uint64_t>(statement.integer(0)),
                    .size = static_cast<std::uint64_t>(statement.integer(1)),
                    .mtime_ns = statement.integer(2),
                    .ctime_ns = statement.integer(3),
                    .digest = Digest::parse(statement.text(4))});
  return rows;
}

void Database::put_file_digests(const std::vector<FileDigestRow>& rows, std::uint64_t capacity) {
  constexpr std::string_view kDoing = "recording file digests";
  auto connection = connection_->lock();
  SqliteTransaction transaction(*connection, kDoing);
  for (const FileDigestRow& row : rows)
    connection
        ->prepare(kDoing,
                  "INSERT OR REPLACE INTO file_digests (device, inode, size, mtime_ns, ctime_ns, digest) "
                  "VALUES (?, ?, ?, ?, ?, ?)")
        .bind(row.device)
        .bind(row.inode)
        .bind(row.size)
        .bind(row.mtime_ns)
        .bind(row.ctime_ns)
        .bind(row.digest.str())
        .run();
  drop_oldest_file_digests(*connection, capacity);
  transaction.commit();
}

}  // namespace slipway
