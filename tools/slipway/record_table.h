#pragma once
// Records of the store as text for people and programs.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "content/store_records.h"

namespace slipway {

enum class RecordFormat { Table, Verbose, Json };

struct ShownRecord {
  const StoreRecord* record;
  std::string_view why;  ///< why it is kept; empty: it can go
  std::string_view parent;
};

/// One line a record, or a block, or a JSON object a line. `now` is seconds since the epoch.
std::string show_records(const std::vector<ShownRecord>& records, RecordFormat format, std::int64_t now);

/// "NAME:  VALUE" lines, aligned; of no JSON.
std::string show_totals(const std::vector<std::pair<std::string, std::string>>& totals);

}  // namespace slipway
