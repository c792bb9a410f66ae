#include "content/store_prune.h"

#include <algorithm>
#include <ctime>
#include <map>
#include <set>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "content/cache_mount_files.h"
#include "content/database.h"
#include "content/image_blobs.h"
#include "content/snapshot_files.h"
#include "content/store.h"
#include "content/store_sizes.h"
#include "content/try_lock.h"

namespace slipway {
namespace fs = std::filesystem;
namespace {

std::optional<KeepReason> fixed_reason(const StoreUsage& usage, const StoreRecord& record,
                                       const PruneRequest& request) {
  // First, so that a cap on what the filters match counts nothing else.
  if (request.matches && !request.matches(usage, record)) return KeepReason::NotMatched;
  if (record.in_use) return KeepReason::InUse;
  if (!record.image.empty() && record.type == RecordType::Blob) return KeepReason::Image;
  if (!record.image.empty() && !request.all) return KeepReason::SharedWithImage;
  if (record.type == RecordType::Emulators && !request.all) return KeepReason::Internal;
  return std::nullopt;
}

std::vector<GcRecord> gc_records(const StoreUsage& usage, const PruneRequest& request) {
  std::vector<GcRecord> records;
  for (const StoreRecord& record : usage.records)
    records.push_back({.size = record.size,
                       .last_used = record.last_used,
                       .needs = record.needs,
                       .fixed = fixed_reason(usage, record, request)});
  records.push_back({.size = usage.other, .last_used = 0, .needs = {}, .fixed = KeepReason::Store});
  return records;
}

std::string told(const StoreUsage& usage, const StoreRecord& record, const Kept& kept) {
  switch (kept.why) {
    case KeepReason::InUse:
      return "in use by a running build";
    case KeepReason::Image:
      return concat("part of the image ", record.image, " in the store");
    case KeepReason::SharedWithImage:
      return concat("its layer is in the image ", record.image, " (goes with --all)");
    case KeepReason::Internal:
      return "emulators (go with --all)";
    case KeepReason::Store:
      return "the store itself";
    case KeepReason::NotMatched:
      return "no filter matches it";
    case KeepReason::NeededBy:
      return concat("needed by ", usage.records.at(kept.by.value()).id);
    case KeepReason::Young:
      return "used within the keep duration";
    case KeepReason::WithinLimits:
      return "the limits leave room for it";
  }
  return "";
}

/// Removes what it is given, unless somebody has begun to use it.
class Removal {
 public:
  Removal(Store& store, const std::stop_token& stop)
      : store_(store), stop_(stop), blobs_(store.root() / "blobs" / "sha256", store.temp_directory()) {}

  /// Returns which went. Their order is one in which each comes after what needs it.
  std::set<std::string> remove(const std::vector<const StoreRecord*>& records) {
    remove_snapshots(of_type(records, {RecordType::StepResult, RecordType::BaseLayer}));
    remove_blobs(of_type(records, {RecordType::Blob}));
    for (const StoreRecord* record : records) remove_other(*record);
    return std::move(gone_);
  }

 private:
  using Records = std::vector<const StoreRecord*>;
  // SQLite's write lock is held for one batch: builds wait for that.
  static constexpr std::size_t kBatch = 64;

  static Records of_type(const Records& records, const std::set<RecordType>& types) {
    Records found;
    std::ranges::copy_if(records, std::back_inserter(found),
                         [&](const StoreRecord* record) { return types.contains(record->type); });
    return found;
  }
  void check_stop() const {
    if (stop_.stop_requested()) throw Cancelled{};
  }
  template <class Work>
  void in_batches(const Records& records, Work work) {
    for (std::size_t from = 0; from < records.size(); from += kBatch) {
      check_stop();
      work(Records(records.begin() + static_cast<std::ptrdiff_t>(from),
                   records.begin() + static_cast<std::ptrdiff_t>(std::min(from + kBatch, records.size()))));
    }
  }

  void remove_snapshots(const Records& records) {
    in_batches(records, [&](const Records& batch) {
      std::vector<SnapshotId> ids;
      for (const StoreRecord* record : batch)
        ids.push_back({static_cast<std::int64_t>(parse_unsigned(record->key).value())});
      for (const SnapshotId id : store_.snapshots().remove_unused(ids))
        gone_.insert(concat("snapshot-", id.value));
    });
  }

  void remove_blobs(const Records& records) {
    in_batches(records, [&](const Records& batch) {
      std::vector<Digest> digests;
      for (const StoreRecord* record : batch) digests.push_back(Digest::parse(record->key));
      const auto needed = [&](const std::vector<Database::ImageRow>& images) { return needed_by(images); };
      for (const Digest& digest : store_.database().remove_unused_blobs(
               digests, needed, [&](const Digest& unused) { blobs_.remove(unused); }))
        gone_.insert(digest.str());
    });
  }

  /// Asked for with the write lock held; images seldom change from one batch to the next.
  const std::set<Digest>& needed_by(const std::vector<Database::ImageRow>& images) {
    std::vector<std::string> descriptors;
    for (const Database::ImageRow& image : images) descriptors.push_back(image.descriptor);
    if (needed_of_ == descriptors) return needed_;
    needed_.clear();
    for (const auto& [digest, image] : image_blobs(blobs_, images)) needed_.insert(digest);
    needed_of_ = std::move(descriptors);
    return needed_;
  }

  void remove_other(const StoreRecord& record) {
    check_stop();
    const fs::path root = store_.root(), temp = store_.temp_directory();
    std::vector<fs::path> aside;
    switch (record.type) {
      case RecordType::CacheMount:
        aside = take_unused_copies(root / "cache-mounts" / record.key, temp);
        break;
      case RecordType::GitRepository:
        // The lock's file stays: who waits for it must get the same.
        if (const auto alone = try_lock_file(root / "git" / (record.key + ".lock")))
          aside = take_unleased(LeaseKind::GitRepository, root / "git" / record.key);
        break;
      case RecordType::HttpRecord:
        aside = take_unleased(LeaseKind::HttpRecord, root / "http" / record.key);
        break;
      case RecordType::Emulators:
        aside = take_unleased(LeaseKind::Emulators, root / "emulators" / record.key);
        break;
      case RecordType::Log:
        aside = take_unleased(LeaseKind::Log, root / "logs" / record.key);
        break;
      default:
        return;
    }
    for (const fs::path& path : aside) remove_tree(path);
    if (!aside.empty()) gone_.insert(record.id);
  }

  std::vector<fs::path> take_unleased(LeaseKind kind, const fs::path& path) {
    std::vector<fs::path> aside;
    store_.database().remove_unused(kind, path.filename().native(),
                                    [&] { aside.push_back(move_aside(path, store_.temp_directory())); });
    return aside;
  }

  Store& store_;
  const std::stop_token& stop_;
  BlobStore blobs_;  ///< pruning is no use
  std::set<std::string> gone_;
  std::optional<std::vector<std::string>> needed_of_;
  std::set<Digest> needed_;
};

}  // namespace

PruneResult prune_store(Store& store, const PruneRequest& request, std::stop_token stop) {
  PruneResult result;
  std::set<std::string> refused;  // taken into use since they were measured
  // Others may finish builds as fast as their results are removed.
  constexpr int kMostRounds = 5;
  for (int round = 0;; ++round) {
    const std::set<Database::Lease> sized = store.database().sized();
    StoreUsage usage = measure_store(store, stop);
    if (!usage.users_take_leases) {
      HostError error("a slipway of an older version uses the store, and does not say what of it");
      error.set_hint("Prune when it has ended.");
      throw error;
    }
    for (StoreRecord& record : usage.records) record.in_use = record.in_use || refused.contains(record.id);
    GcLimits limits = request.limits;
    limits.free_space = usage.free_space;
    limits.now = std::time(nullptr);
    const GcPlan plan = plan_gc(gc_records(usage, request), limits);
    if (round == 0) result.before = plan.total;
    result.after = plan.total;
    result.cap = plan.cap;
    result.matched_after = plan.matched_after;
    std::vector<const StoreRecord*> planned;
    for (const std::size_t i : plan.remove) planned.push_back(&usage.records.at(i));
    if (planned.empty() || request.dry_run || round == kMostRounds) {
      if (request.dry_run) {
        for (const StoreRecord* record : planned) result.removed.push_back(*record);
        result.after = plan.after;
      } else {
        record_all_sizes(store, sized, usage);
      }
      for (std::size_t i = 0; i < usage.records.size(); ++i)
        if (plan.kept[i])
          result.kept.push_back({.record = usage.records[i],
                                 .reason = plan.kept[i]->why,
                                 .why = told(usage, usage.records[i], *plan.kept[i])});
      return result;
    }
    const std::set<std::string> gone = Removal(store, stop).remove(planned);
    for (const StoreRecord* record : planned) {
      if (gone.contains(record->id)) {
        result.removed.push_back(*record);
      } else {
        refused.insert(record->id);
      }
    }
  }
}

std::vector<std::string> why_kept(const StoreUsage& usage) {
  const GcPlan plan = plan_gc(gc_records(usage, {}), {});
  std::vector<std::string> reasons;
  for (std::size_t i = 0; i < usage.records.size(); ++i)
    reasons.push_back(plan.kept[i] ? told(usage, usage.records[i], *plan.kept[i]) : "");
  return reasons;
}

}  // namespace slipway
