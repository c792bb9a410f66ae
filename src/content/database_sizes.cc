// Sizes as they were recorded, with a running total, so that asking for it costs one row.
#include <algorithm>
#include <limits>

#include "content/database.h"
#include "content/sqlite.h"

namespace slipway {
namespace {

constexpr std::string_view kReading = "reading recorded sizes";
constexpr std::string_view kRecording = "recording sizes";

std::int64_t as_integer(std::uint64_t value) {
  return static_cast<std::int64_t>(std::min<std::uint64_t>(value, std::numeric_limits<std::int64_t>::max()));
}

std::uint64_t recorded_size(SqliteConnection& connection, const Database::Lease& what) {
  SqliteStatement statement =
      connection.prepare(kReading, "SELECT size FROM store_sizes WHERE kind = ? AND target = ?");
  statement.bind(static_cast<std::int64_t>(what.first)).bind(what.second);
  return statement.step() ? statement.unsigned_integer(0) : 0;
}

Database::SizeState state_of(SqliteConnection& connection) {
  SqliteStatement statement = connection.prepare(kReading, "SELECT bytes, complete FROM store_total");
  if (!statement.step()) return {};
  return {.total = statement.unsigned_integer(0), .complete = statement.integer(1) != 0};
}

}  // namespace

Database::SizeState Database::size_state() { return state_of(*connection_->lock()); }

std::set<Database::Lease> Database::sized() {
  auto connection = connection_->lock();
  SqliteStatement statement = connection->prepare(kReading, "SELECT kind, target FROM store_sizes");
  std::set<Lease> all;
  while (statement.step()) all.emplace(static_cast<LeaseKind>(statement.integer(0)), statement.text(1));
  return all;
}

bool Database::has_size(const Lease& what) {
  auto connection = connection_->lock();
  SqliteStatement statement =
      connection->prepare(kReading, "SELECT 1 FROM store_sizes WHERE kind = ? AND target = ?");
  return statement.bind(static_cast<std::int64_t>(what.first)).bind(what.second).step();
}

void Database::put_sizes(const std::vector<std::pair<Lease, std::uint64_t>>& sizes,
                         const std::vector<Lease>& gone, std::optional<bool> complete) {
  auto connection = connection_->lock();
  SqliteTransaction transaction(*connection, kRecording);
  SizeState state = state_of(*connection);
  for (const Lease& what : gone) {
    state.total -= std::min(state.total, recorded_size(*connection, what));
    connection->prepare(kRecording, "DELETE FROM store_sizes WHERE kind = ? AND target = ?")
        .bind(static_cast<std::int64_t>(what.first))
        .bind(what.second)
        .run();
  }
  for (const auto& [what, size] : sizes) {
    state.total -= std::min(state.total, recorded_size(*connection, what));
    state.total += size;
    connection
        ->prepare(kRecording, "INSERT OR REPLACE INTO store_sizes (kind, target, size) VALUES (?, ?, ?)")
        .bind(static_cast<std::int64_t>(what.first))
        .bind(what.second)
        .bind(as_integer(size))
        .run();
  }
  connection->prepare(kRecording, "INSERT OR REPLACE INTO store_total (id, bytes, complete) VALUES (0, ?, ?)")
      .bind(as_integer(state.total))
      .bind(static_cast<std::int64_t>(complete.value_or(state.complete)))
      .run();
  transaction.commit();
  unmeasured_ = false;
}

std::set<Database::Lease> Database::own_leases() {
  const auto held = connection_->lock();
  return leased_;
}

std::optional<Database::GcMark> Database::gc_mark(const std::string& policy) {
  auto connection = connection_->lock();
  SqliteStatement statement =
      connection->prepare("looking up a policy", "SELECT above, at, stuck FROM gc_marks WHERE policy = ?");
  if (!statement.bind(policy).step()) return std::nullopt;
  return GcMark{
      .above = statement.unsigned_integer(0), .at = statement.integer(1), .stuck = statement.integer(2) != 0};
}

void Database::put_gc_mark(const std::string& policy, const GcMark& mark) {
  constexpr std::string_view kDoing = "recording what a policy came to";
  constexpr std::uint64_t kMost = 64;  // policies of configurations that are no more
  auto connection = connection_->lock();
  SqliteTransaction transaction(*connection, kDoing);
  connection
      ->prepare(kDoing, "DELETE FROM gc_marks WHERE (SELECT count(*) FROM gc_marks) >= ? AND policy <> ?")
      .bind(kMost)
      .bind(policy)
      .run();
  connection
      ->prepare(kDoing, "INSERT OR REPLACE INTO gc_marks (policy, above, at, stuck) VALUES (?, ?, ?, ?)")
      .bind(policy)
      .bind(as_integer(mark.above))
      .bind(mark.at)
      .bind(static_cast<std::int64_t>(mark.stuck))
      .run();
  transaction.commit();
}

}  // namespace slipway
