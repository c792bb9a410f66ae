// `slipway du` and `slipway prune`: what the store's space goes to, and how it is had back.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <ctime>
#include <iostream>
#include <map>
#include <memory>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "content/spare_space.h"
#include "content/store.h"
#include "content/store_prune.h"
#include "slipway/command.h"
#include "slipway/open_store.h"
#include "slipway/prune_flags.h"
#include "slipway/record_table.h"

namespace slipway {

namespace {

struct ShownFlags {
  bool verbose = false;
  std::string format = "table";
  std::vector<std::string> filters;

  RecordFormat chosen() const {
    if (format == "json") return RecordFormat::Json;
    return verbose || format == "pretty" ? RecordFormat::Verbose : RecordFormat::Table;
  }
};

struct PruneFlags {
  ShownFlags shown;
  bool all = false, force = false, dry_run = false;
  std::string max_used, min_free, reserved, max_matched, keep;
};

void add_shown_flags(CLI::App& command, ShownFlags& flags) {
  command.add_flag("-v,--verbose", flags.verbose, "Tell all of each record, and why it is kept");
  command.add_option("--format", flags.format, "table, pretty (as --verbose) or json (one object a line)")
      ->check(CLI::IsMember({"table", "pretty", "json"}));
  command
      .add_option("--filter", flags.filters,
                  "Only records that match: id, type, description, parents (=, != or ~=), inuse, shared, "
                  "private, mutable, immutable, until=DURATION (unused for so long)")
      ->type_name("FILTER")
      ->allow_extra_args(false);
}

std::vector<ShownRecord> largest_first(std::vector<ShownRecord> records) {
  std::ranges::stable_sort(records, std::ranges::greater{},
                           [](const ShownRecord& shown) { return shown.record->size; });
  return records;
}

int run_du(CommandContext& context, const ShownFlags& flags) {
  const RecordFilter filter = parse_record_filters(flags.filters);
  const auto store = open_store(context);
  const StoreUsage usage = measure_store(*store, context.stop);
  const std::vector<std::string> reasons = why_kept(usage);
  const std::int64_t now = std::time(nullptr);
  std::uint64_t reclaimable = 0, shared = 0, matched = 0;
  std::vector<ShownRecord> shown;
  for (std::size_t i = 0; i < usage.records.size(); ++i) {
    const StoreRecord& record = usage.records[i];
    if (filter.matches && !filter.matches(usage, record)) continue;
    if (filter.keep_seconds && now - record.last_used < *filter.keep_seconds) continue;
    matched += record.size;
    if (reasons[i].empty()) reclaimable += record.size;
    if (!record.image.empty()) shared += record.size;
    shown.push_back({.record = &record,
                     .why = reasons[i],
                     .parent = record.parent ? usage.records[*record.parent].id : std::string_view()});
  }
  const bool filtered = !flags.filters.empty();
  std::string text = show_records(largest_first(std::move(shown)), flags.chosen(), now);
  if (flags.chosen() != RecordFormat::Json) {
    std::vector<std::pair<std::string, std::string>> totals{{"Images", human_bytes(shared)},
                                                            {"Reclaimable", human_bytes(reclaimable)}};
    if (!filtered) totals.emplace_back("The store itself", human_bytes(usage.other));
    totals.emplace_back("Total", human_bytes(filtered ? matched : usage.total));
    if (!text.empty() && flags.chosen() == RecordFormat::Table) text += "\n";
    text += show_totals(totals);
  }
  write_all(STDOUT_FILENO, text, "stdout");
  return 0;
}

bool is_confirmed(const PruneFlags& flags) {
  if (flags.force || flags.dry_run || ::isatty(STDIN_FILENO) == 0) return true;
  std::cerr << "This removes "
            << (flags.all ? "everything no image in the store is made of"
                          : "what no image in the store is made of or shares layers with")
            << ", within the limits given. Continue? [y/N] " << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

GcLimits limits_of(const PruneFlags& flags, const RecordFilter& filter, const Store& store) {
  const auto space = std::filesystem::space(store.root());
  const auto size = [&](const std::string& text, const char* flag) {
    return text.empty() ? std::nullopt : parse_space(text, space.capacity, flag);
  };
  GcLimits limits{.max_used = size(flags.max_used, "--max-used-space"),
                  .min_free = size(flags.min_free, "--min-free-space"),
                  .reserved = size(flags.reserved, "--reserved-space"),
                  .max_matched = size(flags.max_matched, "--max-matched-space"),
                  .keep_seconds = filter.keep_seconds,
                  .keep_is_firm = static_cast<bool>(filter.matches)};
  if (!flags.keep.empty()) limits.keep_seconds = parse_keep_duration(flags.keep, "--keep-duration");
  return limits;
}

void warn_above_cap(const PruneResult& result) {
  if (!result.cap || result.after <= *result.cap) return;
  std::map<std::string, std::uint64_t> by_reason;
  for (const KeptRecord& kept : result.kept) by_reason[kept.why] += kept.record.size;
  const auto largest =
      std::ranges::max_element(by_reason, {}, [](const auto& entry) { return entry.second; });
  std::cerr << "WARNING: the store still takes " << human_bytes(result.after) << "; the limits leave it "
            << human_bytes(*result.cap) << ", and nothing more may go";
  if (largest != by_reason.end())
    std::cerr << "; most of it, " << human_bytes(largest->second) << ": " << largest->first;
  std::cerr << std::endl;
}

int run_prune(CommandContext& context, const PruneFlags& flags) {
  const RecordFilter filter = parse_record_filters(flags.shown.filters);
  if (!is_confirmed(flags)) return 0;
  use_spare_space(context.store_root);
  const auto store = open_store(context);
  const PruneResult result = prune_store(*store,
                                         {.limits = limits_of(flags, filter, *store),
                                          .all = flags.all,
                                          .dry_run = flags.dry_run,
                                          .matches = filter.matches},
                                         context.stop);
  keep_spare_space(context.store_root);  // the next may find the disk full again before any other start
  std::vector<ShownRecord> removed, kept;
  std::uint64_t freed = 0;
  for (const StoreRecord& record : result.removed) {
    freed += record.size;
    removed.push_back({.record = &record, .why = {}, .parent = {}});
  }
  for (const KeptRecord& record : result.kept)
    kept.push_back({.record = &record.record, .why = record.why, .parent = {}});
  const RecordFormat format = flags.shown.chosen();
  const std::int64_t now = std::time(nullptr);
  std::string text = show_records(removed, format, now);
  if (flags.shown.verbose) text += show_records(largest_first(std::move(kept)), format, now);
  if (format != RecordFormat::Json) {
    if (!text.empty() && format == RecordFormat::Table) text += "\n";
    text += show_totals(
        {{flags.dry_run ? "Would be removed" : "Removed", human_bytes(freed)},
         {flags.dry_run ? "The store then takes" : "The store takes", human_bytes(result.after)}});
  }
  write_all(STDOUT_FILENO, text, "stdout");
  warn_above_cap(result);
  return 0;
}

}  // namespace

void add_du_command(CLI::App& app, Chosen& chosen) {
  auto flags = std::make_shared<ShownFlags>();
  CLI::App* du = app.add_subcommand("du", "Tell what the store's space goes to");
  add_shown_flags(*du, *flags);
  du->callback([flags, &chosen] {
    chosen.confined = true;  // snapshots hold files of many owners
    chosen.run = [flags](CommandContext& context) { return run_du(context, *flags); };
  });
}

void add_prune_command(CLI::App& app, Chosen& chosen) {
  auto flags = std::make_shared<PruneFlags>();
  CLI::App* prune = app.add_subcommand("prune", "Remove what no image and no running build needs");
  prune->add_flag("-a,--all", flags->all, "Also emulators, and unpacked layers that an image has");
  prune->add_flag("-f,--force", flags->force, "Do not ask");
  prune->add_flag("--dry-run", flags->dry_run, "Only tell what would be removed");
  prune->add_option(
      "--max-used-space", flags->max_used,
      "Remove the least recently used until the whole store takes no more than this (20GB, 10%)");
  prune->add_option("--min-free-space", flags->min_free,
                    "Remove the least recently used until so much is free on the file system");
  prune->add_option("--reserved-space", flags->reserved,
                    "Remove nothing once the store takes no more than this");
  prune->add_option("--max-matched-space", flags->max_matched,
                    "Remove the least recently used of what the filters match until those take no more");
  prune->add_option(
      "--keep-duration", flags->keep,
      "Keep what was used within this time (48h), unless the store is above --max-used-space or "
      "below --min-free-space");
  add_shown_flags(*prune, flags->shown);
  prune->callback([flags, &chosen] {
    chosen.confined = true;
    chosen.run = [flags](CommandContext& context) { return run_prune(context, *flags); };
  });
}

}  // namespace slipway
