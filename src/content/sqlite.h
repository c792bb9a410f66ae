#pragma once
// A thin owner of one SQLite connection: statements that cannot leak, transactions that end, errors that say what was
// being done. Private to database*.cc. Not thread-safe; Database locks around it.
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace slipway {

class SqliteConnection;

/// A prepared statement on loan from its connection, reset when it goes out of scope. Parameters are bound in order.
class SqliteStatement {
 public:
  SqliteStatement(SqliteStatement&& other) noexcept;
  SqliteStatement& operator=(SqliteStatement&&) = delete;
  ~SqliteStatement();

  SqliteStatement& bind(std::int64_t value);
  /// Kept as the signed number with the same bits: SQLite knows no unsigned ones.
  SqliteStatement& bind(std::uint64_t value) { return bind(static_cast<std::int64_t>(value)); }
  SqliteStatement& bind(std::string_view text);
  SqliteStatement& bind(const std::optional<std::int64_t>& value);

  /// True if there is a row.
  bool step();
  /// For a statement that gives no rows; afterwards it can be bound and run again.
  void run();

  std::int64_t integer(int column) const;
  std::uint64_t unsigned_integer(int column) const { return static_cast<std::uint64_t>(integer(column)); }
  std::string text(int column) const;
  bool is_null(int column) const;

 private:
  friend class SqliteConnection;
  SqliteStatement(SqliteConnection& connection, sqlite3_stmt* statement, std::string_view doing)
      : connection_(&connection), statement_(statement), doing_(doing) {}
  void check_bound(int result);
  SqliteConnection* connection_;
  sqlite3_stmt* statement_;
  std::string_view doing_;
  int bound_ = 0;
};

class SqliteConnection {
 public:
  explicit SqliteConnection(const std::filesystem::path& file);
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;
  ~SqliteConnection();

  /// `doing` says what the caller is up to ("recording a layer"), for errors; it must outlive the statement, as a
  /// literal does. `sql` is prepared once and kept, so only one statement of the same text may be alive at a time.
  SqliteStatement prepare(std::string_view doing, std::string_view sql);
  /// Several statements without parameters or results.
  void execute(std::string_view doing, const char* sql);
  /// Rows that the last statement changed.
  std::int64_t changes() const;
  std::int64_t last_insert_id() const;

  /// Throws what fits the connection's last error.
  [[noreturn]] void fail(std::string_view doing, int result) const;

 private:
  friend class SqliteTransaction;
  std::int64_t total_changes() const;
  void settle_log() noexcept;
  std::filesystem::path file_;
  sqlite3* handle_ = nullptr;
  std::map<std::string, sqlite3_stmt*, std::less<>> prepared_;
  std::int64_t passing_changes_ = 0;  ///< of rows, by passing transactions
  bool synced_ = false;               ///< there was a synced transaction: it may have made tables
};

/// BEGIN IMMEDIATE: the write lock is held from the start, so that nothing read in the transaction is stale when it is
/// written back. Rolled back unless commit() was called.
class SqliteTransaction {
 public:
  /// Synced: the commit outlives a power cut. Lazy: until the connection closes it may be lost in one (never torn), which
  /// costs no fsync. Passing: also later, as it says who uses what just now.
  enum class Commit { Passing, Lazy, Synced };
  SqliteTransaction(SqliteConnection& connection, std::string_view doing, Commit how = Commit::Lazy);
  SqliteTransaction(const SqliteTransaction&) = delete;
  SqliteTransaction& operator=(const SqliteTransaction&) = delete;
  ~SqliteTransaction();
  void commit();

 private:
  void back_to_lazy() noexcept;
  SqliteConnection& connection_;
  std::string_view doing_;
  Commit how_;
  std::int64_t changes_before_;
  bool open_ = true;
};

}  // namespace slipway
