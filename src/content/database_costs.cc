// What steps cost when they ran last.
#include "content/database.h"
#include "content/sqlite.h"

namespace slipway {

std::optional<StepCost> Database::find_step_cost(const Digest& step) {
  auto connection = connection_->lock();
  SqliteStatement statement = connection->prepare(
      "looking up what a step costs", "SELECT microseconds, memory FROM step_costs WHERE step = ?");
  if (!statement.bind(step.str()).step()) return std::nullopt;
  return StepCost{.seconds = static_cast<double>(statement.integer(0)) / 1e6,
                  .memory = statement.unsigned_integer(1)};
}

void Database::put_step_costs(const std::map<Digest, StepCost>& costs, std::uint64_t capacity) {
  constexpr std::string_view kDoing = "recording what steps cost";
  auto connection = connection_->lock();
  SqliteTransaction transaction(*connection, kDoing);
  for (const auto& [step, cost] : costs)
    connection
        ->prepare(kDoing,
                  "INSERT OR REPLACE INTO step_costs (step, microseconds, memory) VALUES (?1, "
                  "coalesce((?2 + (SELECT microseconds FROM step_costs WHERE step = ?1)) / 2, ?2), ?3)")
        .bind(step.str())
        .bind(static_cast<std::int64_t>(cost.seconds * 1e6))
        .bind(cost.memory)
        .run();
  // A row that is written again gets a new rowid, so the smallest are the oldest.
  connection
      ->prepare(
          kDoing,
          "DELETE FROM step_costs WHERE rowid <= (SELECT rowid FROM step_costs ORDER BY rowid DESC LIMIT 1 "
          "OFFSET ?)")
      .bind(capacity)
      .run();
  transaction.commit();
}

}  // namespace slipway
