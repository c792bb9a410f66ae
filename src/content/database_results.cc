// Results of steps, and what their content keys are made of.
#include <random>

#include "base/strings.h"
#include "content/database.h"
#include "content/sqlite.h"
#include "content/store.h"

namespace slipway {

namespace {

/// That nobody else thinks of.
std::string random_token() {
  std::random_device random;
  std::string token;
  for (int i = 0; i < 8; ++i) token += concat(random(), " ");
  return token;
}

std::optional<Digest> digest_from(SqliteStatement& statement) {
  if (!statement.step()) return std::nullopt;
  return Digest::parse(statement.text(0));
}

}  // namespace

void Database::put_result(const std::vector<Digest>& keys, SnapshotId snapshot,
                          const std::optional<Digest>& origin, const ResultNotes& notes) {
  constexpr std::string_view kDoing = "recording a step's result";
  auto connection = connection_->lock();
  SqliteTransaction transaction(*connection, kDoing);
  for (const Digest& key : keys)
    connection->prepare(kDoing, "INSERT OR REPLACE INTO results (key, snapshot) VALUES (?, ?)")
        .bind(key.str())
        .bind(snapshot.value)
        .run();
  for (const Digest& key : notes.emulation.empty() ? std::vector<Digest>{} : keys)
    connection
        ->prepare(kDoing,
                  "INSERT OR REPLACE INTO result_emulation (snapshot, key, emulation) VALUES (?, ?, ?)")
        .bind(snapshot.value)
        .bind(key.str())
        .bind(notes.emulation)
        .run();
  if (origin)
    connection->prepare(kDoing, "INSERT OR IGNORE INTO origins (snapshot, origin) VALUES (?, ?)")
        .bind(snapshot.value)
        .bind(origin->str())
        .run();
  if (!notes.description.empty())
    connection->prepare(kDoing, "UPDATE snapshot_uses SET description = ? WHERE snapshot = ?")
        .bind(notes.description)
        .bind(snapshot.value)
        .run();
  transaction.commit();
}

std::string Database::find_emulation(const Digest& key, SnapshotId snapshot) {
  auto connection = connection_->lock();
  SqliteStatement statement =
      connection->prepare("looking up how a result was made",
                          "SELECT emulation FROM result_emulation WHERE snapshot = ? AND key = ?");
  return statement.bind(snapshot.value).bind(key.str()).step() ? statement.text(0) : std::string();
}

std::optional<Digest> Database::find_origin(SnapshotId snapshot) {
  auto connection = connection_->lock();
  SqliteStatement statement = connection->prepare("looking up what a snapshot was made of",
                                                  "SELECT origin FROM origins WHERE snapshot = ?");
  return digest_from(statement.bind(snapshot.value));
}

Digest Database::origin_or(SnapshotId snapshot, const Digest& fresh) {
  constexpr std::string_view kDoing = "naming what a snapshot was made of";
  if (auto known = find_origin(snapshot)) return *known;
  auto connection = connection_->lock();
  SqliteTransaction transaction(*connection, kDoing);
  connection->prepare(kDoing, "INSERT OR IGNORE INTO origins (snapshot, origin) VALUES (?, ?)")
      .bind(snapshot.value)
      .bind(fresh.str())
      .run();
  std::optional<Digest> named;
  {
    SqliteStatement statement = connection->prepare(kDoing, "SELECT origin FROM origins WHERE snapshot = ?");
    named = digest_from(statement.bind(snapshot.value));
  }
  transaction.commit();
  return named.value_or(fresh);
}

std::optional<Digest> Database::find_cache_name(SnapshotId snapshot) {
  auto connection = connection_->lock();
  SqliteStatement statement = connection->prepare("looking up what caches call a snapshot's tree",
                                                  "SELECT name FROM cache_names WHERE snapshot = ?");
  return digest_from(statement.bind(snapshot.value));
}

void Database::put_cache_name(SnapshotId snapshot, const Digest& name) {
  constexpr std::string_view kDoing = "recording what caches call a snapshot's tree";
  auto connection = connection_->lock();
  SqliteTransaction transaction(*connection, kDoing);
  connection->prepare(kDoing, "INSERT OR REPLACE INTO cache_names (snapshot, name) VALUES (?, ?)")
      .bind(snapshot.value)
      .bind(name.str())
      .run();
  transaction.commit();
}

std::optional<Digest> Database::find_tree_digest(SnapshotId snapshot, const Digest& selection) {
  auto connection = connection_->lock();
  SqliteStatement statement =
      connection->prepare("looking up the digest of a tree",
                          "SELECT digest FROM tree_digests WHERE snapshot = ? AND selection = ?");
  return digest_from(statement.bind(snapshot.value).bind(selection.str()));
}

void Database::put_tree_digest(SnapshotId snapshot, const Digest& selection, const Digest& digest) {
  constexpr std::string_view kDoing = "recording the digest of a tree";
  auto connection = connection_->lock();
  SqliteTransaction transaction(*connection, kDoing);
  connection
      ->prepare(kDoing, "INSERT OR REPLACE INTO tree_digests (snapshot, selection, digest) VALUES (?, ?, ?)")
      .bind(snapshot.value)
      .bind(selection.str())
      .bind(digest.str())
      .run();
  transaction.commit();
}

std::optional<SnapshotId> ResultRecords::find(const Digest& key) {
  const auto snapshot = database_.find_result(key);
  return snapshot && is_whole_(*snapshot) ? snapshot : std::nullopt;
}

std::string ResultRecords::emulation_of(const Digest& key, SnapshotId snapshot) {
  return database_.find_emulation(key, snapshot);
}

void ResultRecords::put(const Digest& key, SnapshotId snapshot, const ResultNotes& notes) {
  database_.put_result({key}, snapshot, key, notes);
}

void ResultRecords::put(const Digest& definition, const Digest& content, SnapshotId snapshot,
                        const ResultNotes& notes) {
  database_.put_result({definition, content}, snapshot, content, notes);
}

void ResultRecords::put_latest(const Digest& name, SnapshotId snapshot) {
  database_.put_result({name}, snapshot, {}, {});
}

std::optional<Digest> ResultRecords::origin(SnapshotId snapshot) { return database_.find_origin(snapshot); }

Digest ResultRecords::name_of(SnapshotId snapshot) {
  if (auto known = origin(snapshot)) return *known;
  return database_.origin_or(snapshot, Digest::of(concat("an unnamed tree ", random_token())));
}

std::optional<Digest> ResultRecords::name_in_caches(SnapshotId snapshot) {
  return database_.find_cache_name(snapshot);
}

void ResultRecords::remember_name_in_caches(SnapshotId snapshot, const Digest& name) {
  database_.put_cache_name(snapshot, name);
}

std::optional<Digest> ResultRecords::tree_digest(SnapshotId snapshot, const Digest& selection) {
  return database_.find_tree_digest(snapshot, selection);
}

void ResultRecords::remember_tree_digest(SnapshotId snapshot, const Digest& selection, const Digest& digest) {
  database_.put_tree_digest(snapshot, selection, digest);
}

}  // namespace slipway
