#include "content/database.h"

#include <algorithm>
#include <string_view>
#include <system_error>

#include "base/error.h"
#include "base/strings.h"
#include "content/sqlite.h"

// Schema 3. What hangs on a snapshot goes with it (ON DELETE CASCADE), so no record outlives what it points
// at. A parent cannot go before its children (NO ACTION). AUTOINCREMENT: an id is never used twice, so a path
// with an id in it never comes to mean something else.
namespace slipway {
namespace {

constexpr std::int64_t kSchema = 3;

constexpr const char* kCreate = R"sql(
CREATE TABLE snapshots (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  parent INTEGER REFERENCES snapshots(id),
  created INTEGER NOT NULL,
  durable INTEGER NOT NULL,
  boot_id TEXT NOT NULL
);
CREATE INDEX snapshots_by_parent ON snapshots(parent);
CREATE INDEX snapshots_not_durable ON snapshots(boot_id) WHERE durable = 0;
CREATE TABLE layers (
  snapshot INTEGER NOT NULL REFERENCES snapshots(id) ON DELETE CASCADE,
  variant TEXT NOT NULL,
  media_type TEXT NOT NULL,
  digest TEXT NOT NULL,
  size INTEGER NOT NULL,
  diff_id TEXT NOT NULL,
  PRIMARY KEY (snapshot, variant)
) WITHOUT ROWID;
CREATE TABLE chains (
  chain_id TEXT PRIMARY KEY,
  snapshot INTEGER NOT NULL REFERENCES snapshots(id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX chains_by_snapshot ON chains(snapshot);
CREATE TABLE results (
  key TEXT PRIMARY KEY,
  snapshot INTEGER NOT NULL REFERENCES snapshots(id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX results_by_snapshot ON results(snapshot);
CREATE TABLE images (
  name TEXT PRIMARY KEY,
  descriptor TEXT NOT NULL,
  updated INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE file_digests (
  device INTEGER NOT NULL,
  inode INTEGER NOT NULL,
  size INTEGER NOT NULL,
  mtime_ns INTEGER NOT NULL,
  ctime_ns INTEGER NOT NULL,
  digest TEXT NOT NULL,
  PRIMARY KEY (device, inode)
);
PRAGMA user_version = 1;
)sql";

// Schema 2. Leases: a slipway that takes none must not use a store that is pruned, hence the new number.
// A lease names its session (store_session.h) and not a process, and says nothing once that is dead.
constexpr const char* kUpgradeTo2 = R"sql(
CREATE TABLE leases (
  session TEXT NOT NULL,
  kind INTEGER NOT NULL,
  target TEXT NOT NULL,
  PRIMARY KEY (kind, target, session)
) WITHOUT ROWID;
CREATE TABLE snapshot_uses (
  snapshot INTEGER PRIMARY KEY REFERENCES snapshots(id) ON DELETE CASCADE,
  used INTEGER NOT NULL,
  count INTEGER NOT NULL,
  description TEXT NOT NULL DEFAULT ''
);
CREATE INDEX layers_by_digest ON layers(digest);
PRAGMA user_version = 2;
)sql";

// Schema 3. Snapshots that amend their parents (snapshots.h): who does not know of them would make two layers
// of one.
constexpr const char* kUpgradeTo3 = R"sql(
ALTER TABLE snapshots ADD COLUMN amends INTEGER NOT NULL DEFAULT 0;
PRAGMA user_version = 3;
)sql";

// Came later. A slipway that does not know of layer_sources packs such layers again, to the same bytes, and
// removes its rows with their snapshots. Sizes (store_sizes.h) are only of use where all who use the store
// record them or say that they did not.
constexpr const char* kCreateLater = R"sql(
CREATE TABLE IF NOT EXISTS layer_sources (
  snapshot INTEGER PRIMARY KEY REFERENCES snapshots(id) ON DELETE CASCADE,
  source INTEGER NOT NULL REFERENCES snapshots(id) ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS layer_sources_by_source ON layer_sources(source);
CREATE TABLE IF NOT EXISTS store_sizes (
  kind INTEGER NOT NULL,
  target TEXT NOT NULL,
  size INTEGER NOT NULL,
  PRIMARY KEY (kind, target)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS store_total (
  id INTEGER PRIMARY KEY CHECK (id = 0),
  bytes INTEGER NOT NULL,
  complete INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS gc_marks (
  policy TEXT PRIMARY KEY,
  above INTEGER NOT NULL,
  at INTEGER NOT NULL,
  stuck INTEGER NOT NULL
) WITHOUT ROWID;
)sql";

// Came later as well: what a snapshot looked like when it was made (snapshot_check.h).
constexpr const char* kCreateOutlines = R"sql(
CREATE TABLE IF NOT EXISTS outlines (
  snapshot INTEGER PRIMARY KEY REFERENCES snapshots(id) ON DELETE CASCADE,
  outline TEXT NOT NULL
);
)sql";

// Came later, too; without them steps are found by their definition keys only, planned by guesses, and no
// policy of emulation knows how a result was made. A slipway that does not know of result_emulation puts
// other snapshots under its keys: hence the snapshot in a row's key.
constexpr const char* kCreateStepTables = R"sql(
CREATE TABLE IF NOT EXISTS origins (
  snapshot INTEGER PRIMARY KEY REFERENCES snapshots(id) ON DELETE CASCADE,
  origin TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS cache_names (
  snapshot INTEGER PRIMARY KEY REFERENCES snapshots(id) ON DELETE CASCADE,
  name TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS tree_digests (
  snapshot INTEGER NOT NULL REFERENCES snapshots(id) ON DELETE CASCADE,
  selection TEXT NOT NULL,
  digest TEXT NOT NULL,
  PRIMARY KEY (snapshot, selection)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS result_emulation (
  snapshot INTEGER NOT NULL REFERENCES snapshots(id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  emulation TEXT NOT NULL,
  PRIMARY KEY (snapshot, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS step_costs (
  step TEXT PRIMARY KEY,
  microseconds INTEGER NOT NULL,
  memory INTEGER NOT NULL
);
)sql";

std::int64_t schema_of(SqliteConnection& connection) {
  SqliteStatement statement = connection.prepare("reading its schema", "PRAGMA user_version");
  return statement.step() ? statement.integer(0) : 0;
}

/// SQLite makes a missing file, and calls an empty one a database.
const std::filesystem::path& look_first(const std::filesystem::path& file,
                                        const std::function<void()>& before_new) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(file, error);
  const bool is_empty = error ? error == std::errc::no_such_file_or_directory : size == 0;
  if (before_new && is_empty) before_new();
  return file;
}

void set_up(SqliteConnection& connection, const std::filesystem::path& file,
            const std::function<void()>& before_new) {
  connection.execute("setting it up",
                     "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON");
  std::int64_t schema = schema_of(connection);
  if (schema < kSchema) {
    SqliteTransaction transaction(connection, "creating its tables", SqliteTransaction::Commit::Synced);
    schema = schema_of(connection);  // another process may have been first
    if (schema == 0 && before_new) before_new();
    if (schema == 0) connection.execute("creating its tables", kCreate);
    if (schema < 2) connection.execute("creating its tables", kUpgradeTo2);
    if (schema < 3) connection.execute("creating its tables", kUpgradeTo3);
    transaction.commit();
    schema = std::max(schema, kSchema);
  }
  if (schema == kSchema) {
    connection.execute("creating its tables", kCreateLater);
    connection.execute("creating its tables", kCreateOutlines);
    connection.execute("creating its tables", kCreateStepTables);
    return;
  }
  HostError error(concat("the store at ", file.parent_path().native(),
                         " was made by a newer slipway (schema ", schema, ", this one knows ", kSchema, ")"));
  error.set_hint("Use that slipway, or another store with --root or SLIPWAY_ROOT.");
  throw error;
}

std::vector<std::string> problems_of(SqliteConnection& connection) {
  std::vector<std::string> problems;
  SqliteStatement integrity = connection.prepare("checking it", "PRAGMA integrity_check(20)");
  while (integrity.step())
    if (std::string line = integrity.text(0); line != "ok") problems.push_back(std::move(line));
  SqliteStatement references = connection.prepare("checking it", "PRAGMA foreign_key_check");
  while (references.step())
    problems.push_back(concat("a row of ", references.text(0), " points at a row of ", references.text(2),
                              " that is not there"));
  return problems;
}

}  // namespace

Database::Database(const std::filesystem::path& file, std::string session,
                   const std::function<void()>& before_new)
    : connection_(std::make_unique<Synchronized<SqliteConnection>>(look_first(file, before_new))),
      session_(std::move(session)) {
  set_up(*connection_->lock(), file, before_new);
}

Database::~Database() = default;

std::vector<std::string> Database::integrity_problems() { return problems_of(*connection_->lock()); }

}  // namespace slipway
