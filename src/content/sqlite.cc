#include "content/sqlite.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "content/space.h"

namespace slipway {
namespace {

constexpr int kBusyMilliseconds = 30'000;
// Reading one of this size takes the next process a fraction of a millisecond.
constexpr off_t kLogWorthKeeping = 512 << 10;

[[noreturn]] void throw_full(const std::string& where, const std::filesystem::path& file) {
  HostError error(concat(where, ": database or disk is full (", space_left(file.parent_path()), ")"));
  error.set_hint("Free some space there, or choose another place with --root or SLIPWAY_ROOT.");
  throw error;
}

}  // namespace

SqliteStatement::SqliteStatement(SqliteStatement&& other) noexcept
    : connection_(other.connection_),
      statement_(std::exchange(other.statement_, nullptr)),
      doing_(other.doing_),
      bound_(other.bound_) {}

SqliteStatement::~SqliteStatement() {
  if (!statement_) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

void SqliteStatement::check_bound(int result) {
  if (result != SQLITE_OK) connection_->fail(doing_, result);
}

SqliteStatement& SqliteStatement::bind(std::int64_t value) {
  check_bound(sqlite3_bind_int64(statement_, ++bound_, value));
  return *this;
}

SqliteStatement& SqliteStatement::bind(std::string_view text) {
  check_bound(sqlite3_bind_text64(statement_, ++bound_, text.data() ? text.data() : "", text.size(),
                                  SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}

SqliteStatement& SqliteStatement::bind(const std::optional<std::int64_t>& value) {
  if (value) return bind(*value);
  check_bound(sqlite3_bind_null(statement_, ++bound_));
  return *this;
}

bool SqliteStatement::step() {
  errno = 0;
  const int result = sqlite3_step(statement_);
  if (result == SQLITE_ROW) return true;
  if (result != SQLITE_DONE) connection_->fail(doing_, result);
  return false;
}

void SqliteStatement::run() {
  while (step()) {
  }
  sqlite3_reset(statement_);
  bound_ = 0;
}

std::int64_t SqliteStatement::integer(int column) const { return sqlite3_column_int64(statement_, column); }

std::string SqliteStatement::text(int column) const {
  const unsigned char* bytes = sqlite3_column_text(statement_, column);
  if (!bytes) return {};
  return {reinterpret_cast<const char*>(bytes),
          static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

bool SqliteStatement::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

SqliteConnection::SqliteConnection(const std::filesystem::path& file) : file_(file) {
  const int result = sqlite3_open_v2(
      file.c_str(), &handle_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  try {
    if (result != SQLITE_OK) fail("opening it", result);
    sqlite3_extended_result_codes(handle_, 1);
    sqlite3_busy_timeout(handle_, kBusyMilliseconds);
  } catch (...) {
    sqlite3_close(handle_);
    throw;
  }
}

SqliteConnection::~SqliteConnection() {
  for (const auto& [sql, statement] : prepared_) sqlite3_finalize(statement);
  settle_log();
  sqlite3_close(handle_);
}

// The last connection to close moves the log into the database and removes it, and the next starts a new one:
// four fsyncs, which a process that changed nothing to last does not need. It leaves a short log to the next
// process, as after a kill. All others move what they wrote, also when they are not the last.
void SqliteConnection::settle_log() noexcept {
  if (synced_ || total_changes() != passing_changes_) {
    sqlite3_wal_checkpoint_v2(handle_, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
    return;
  }
  struct stat log {};
  if (::stat((file_.native() + "-wal").c_str(), &log) == 0 && log.st_size <= kLogWorthKeeping)
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

SqliteStatement SqliteConnection::prepare(std::string_view doing, std::string_view sql) {
  const auto known = prepared_.find(sql);
  if (known != prepared_.end()) return {*this, known->second, doing};
  sqlite3_stmt* statement = nullptr;
  errno = 0;
  const int result = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (result != SQLITE_OK) fail(doing, result);
  prepared_.emplace(sql, statement);
  return {*this, statement, doing};
}

void SqliteConnection::execute(std::string_view doing, const char* sql) {
  errno = 0;
  const int result = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) fail(doing, result);
}

std::int64_t SqliteConnection::changes() const { return sqlite3_changes64(handle_); }
std::int64_t SqliteConnection::total_changes() const { return sqlite3_total_changes64(handle_); }
std::int64_t SqliteConnection::last_insert_id() const { return sqlite3_last_insert_rowid(handle_); }

void SqliteConnection::fail(std::string_view doing, int result) const {
  const int last_error = errno;
  const std::string what = handle_ ? sqlite3_errmsg(handle_) : sqlite3_errstr(result);
  const int system_error = handle_ ? sqlite3_system_errno(handle_) : 0;
  const std::string where = concat("store database ", file_.native(), ": ", doing);
  switch (result & 0xff) {
    case SQLITE_FULL:
      throw_full(where, file_);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw HostError(concat(where, ": another slipway process has kept it locked for ",
                             kBusyMilliseconds / 1000, " seconds"));
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: {
      // SQLite calls a file malformed that cannot be read, and does not tell of the error then.
      if (last_error == EIO) throw SystemError(EIO, doing, concat("in the store database ", file_.native()));
      IntegrityError error(concat(where, ": ", what));
      error.set_hint(
          "`slipway store check` tells what is damaged, `slipway store check --repair` sets a damaged "
          "database "
          "aside and makes a new one.");
      throw error;
    }
    case SQLITE_CONSTRAINT:
      if (result == SQLITE_CONSTRAINT_FOREIGNKEY)
        throw NotFound(concat(where, ": the snapshot it belongs to is no longer in the store"));
      break;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
      if (system_error != 0)
        throw SystemError(system_error, doing, concat("in the store database ", file_.native()));
      break;
    default:
      break;
  }
  throw HostError(concat(where, ": ", what));
}

SqliteTransaction::SqliteTransaction(SqliteConnection& connection, std::string_view doing, Commit how)
    : connection_(connection), doing_(doing), how_(how), changes_before_(connection.total_changes()) {
  // In WAL mode NORMAL syncs at checkpoints only, FULL at each commit; it cannot be changed inside a
  // transaction.
  if (how_ == Commit::Synced) connection_.execute(doing_, "PRAGMA synchronous=FULL");
  try {
    connection_.execute(doing_, "BEGIN IMMEDIATE");
  } catch (...) {
    back_to_lazy();
    throw;
  }
}

SqliteTransaction::~SqliteTransaction() {
  if (!open_) return;
  try {
    connection_.execute(doing_, "ROLLBACK");
  } catch (const Error&) {  // SQLite has rolled back by itself already, as it does when the disk is full
  }
  back_to_lazy();
}

void SqliteTransaction::commit() {
  connection_.execute(doing_, "COMMIT");
  open_ = false;
  if (how_ == Commit::Synced) connection_.synced_ = true;
  if (how_ == Commit::Passing) connection_.passing_changes_ += connection_.total_changes() - changes_before_;
  back_to_lazy();
}

void SqliteTransaction::back_to_lazy() noexcept {
  if (how_ != Commit::Synced) return;
  try {
    connection_.execute(doing_, "PRAGMA synchronous=NORMAL");
  } catch (const Error&) {  // stays slower than need be
  }
}

}  // namespace slipway
