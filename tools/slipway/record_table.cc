#include "slipway/record_table.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/strings.h"
#include "manifest/oci.h"
#include "slipway/table.h"
#include "slipway/terminal_text.h"

namespace slipway {

namespace {

std::string ago(std::int64_t when, std::int64_t now) {
  if (when <= 0) return "";
  const std::int64_t seconds = std::max<std::int64_t>(0, now - when);
  constexpr std::int64_t kMinute = 60, kHour = 3600, kDay = 24 * kHour;
  if (seconds < 2 * kMinute) return concat(seconds, " seconds ago");
  if (seconds < 2 * kHour) return concat(seconds / kMinute, " minutes ago");
  if (seconds < 2 * kDay) return concat(seconds / kHour, " hours ago");
  return concat(seconds / kDay, " days ago");
}

/// Ids of blobs are cut as `slipway images` cuts them; filters take the whole, which du --verbose shows.
std::string short_id(const std::string& id) {
  constexpr std::size_t kShort = 19;  // sha256: and twelve digits
  return id.starts_with("sha256:") ? id.substr(0, kShort) : id;
}

std::string table(const std::vector<ShownRecord>& records, std::int64_t now) {
  Table lines({"ID", "TYPE", "RECLAIMABLE", "SIZE", "LAST USED", "DESCRIPTION"});
  constexpr std::size_t kLongest = 60;
  for (const auto& [record, why, parent] : records) {
    std::string description = clean_line(record->description);
    if (description.size() > kLongest) description = description.substr(0, kLongest - 3) + "...";
    lines.add({short_id(record->id), std::string(name_of(record->type)), why.empty() ? "true" : "false",
               human_bytes(record->size), ago(record->last_used, now), description});
  }
  return lines.text();
}

std::string block(const ShownRecord& shown, std::int64_t now) {
  const auto& [record, why, parent] = shown;
  std::vector<std::pair<std::string, std::string>> lines{
      {"ID", record->id},
      {"Type", std::string(name_of(record->type))},
      {"Description", clean_line(record->description)},
      {"Parent", std::string(parent)},
      {"Created", record->created > 0 ? rfc3339(record->created) : ""},
      {"Last used", ago(record->last_used, now)},
      {"Usage count", record->uses > 0 ? std::to_string(record->uses) : ""},
      {"Size", human_bytes(record->size)},
      {"Reclaimable", why.empty() ? "true" : "false"},
      {"Kept because", std::string(why)}};
  std::erase_if(lines, [](const auto& line) { return line.second.empty(); });
  return show_totals(lines);
}

std::string json(const ShownRecord& shown) {
  const auto& [record, why, parent] = shown;
  const nlohmann::ordered_json line = {{"id", record->id},
                                       {"type", name_of(record->type)},
                                       {"description", record->description},
                                       {"parent", parent},
                                       {"size", record->size},
                                       {"created", record->created > 0 ? rfc3339(record->created) : ""},
                                       {"lastUsed", record->last_used > 0 ? rfc3339(record->last_used) : ""},
                                       {"usageCount", record->uses},
                                       {"inUse", record->in_use},
                                       {"reclaimable", why.empty()},
                                       {"keptBecause", why}};
  return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string show_totals(const std::vector<std::pair<std::string, std::string>>& totals) {
  std::size_t width = 0;
  for (const auto& [name, value] : totals) width = std::max(width, name.size());
  std::string text;
  for (const auto& [name, value] : totals)
    text += concat(name, ":", std::string(width - name.size() + 2, ' '), value, "\n");
  return text;
}

std::string show_records(const std::vector<ShownRecord>& records, RecordFormat format, std::int64_t now) {
  if (format == RecordFormat::Table) return records.empty() ? "" : table(records, now);
  std::string text;
  for (const ShownRecord& record : records)
    text += format == RecordFormat::Json ? json(record) : block(record, now) + "\n";
  return text;
}

}  // namespace slipway
