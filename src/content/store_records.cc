#include "content/store_records.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "base/error.h"
#include "base/files.h"
#include "base/regular_file.h"
#include "base/strings.h"
#include "content/cache_mount_files.h"
#include "content/database.h"
#include "content/disk_usage.h"
#include "content/image_blobs.h"
#include "content/store.h"
#include "content/store_session.h"
#include "content/store_sizes.h"
#include "content/try_lock.h"

namespace slipway {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kShortKey = 12;  // of names that are digests

std::int64_t changed_at(const fs::path& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 ? status.st_mtim.tv_sec : 0;
}

std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  std::error_code none;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, none))
    names.push_back(entry.path().filename().native());
  std::ranges::sort(names);
  return names;
}

class Collection {
 public:
  Collection(Store& store, const std::stop_token& stop)
      : root_(store.root()),
        database_(store.database()),
        blobs_(root_ / "blobs" / "sha256", store.temp_directory()),
        disk_(stop) {}

  StoreUsage take() {
    drop_dead_leases();
    leases_ = database_.leases();
    of_images_ = image_blobs(blobs_, database_.images());
    add_snapshots();
    add_blobs();
    connect_layers();
    add_cache_mounts();
    add_git();
    add_http();
    add_emulators();
    add_logs();
    measure_rest();
    return std::move(usage_);
  }

 private:
  StoreRecord& add(RecordType type, std::string id, std::string key, const fs::path& path) {
    StoreRecord& record = usage_.records.emplace_back();
    record.id = std::move(id);
    record.type = type;
    record.key = std::move(key);
    record.size = disk_.of_tree(path);
    usage_.total += record.size;
    record.last_used = changed_at(path);
    return record;
  }
  bool leased(LeaseKind kind, const std::string& target) const { return leases_.contains({kind, target}); }

  void drop_dead_leases() {
    const StoreLock lock(root_);
    const LivingSessions living = living_sessions(root_);
    usage_.users_take_leases = living.all_take_leases;
    database_.drop_leases_except(living.names);
  }

  void add_snapshots() {
    const std::set<SnapshotId> unpacked = database_.chain_snapshots();
    std::map<SnapshotId, Database::SnapshotUse> uses;
    for (Database::SnapshotUse& use : database_.snapshot_uses()) uses.emplace(use.snapshot, std::move(use));
    for (const Database::SnapshotRow& row : database_.snapshots()) {  // parents come first
      const std::string key = std::to_string(row.id.value);
      StoreRecord& record = add(unpacked.contains(row.id) ? RecordType::BaseLayer : RecordType::StepResult,
                                concat("snapshot-", key), key, root_ / "snapshots" / key);
      record.created = record.last_used = row.created;
      record.in_use = leased(LeaseKind::Snapshot, key);
      if (const auto use = uses.find(row.id); use != uses.end()) {
        record.last_used = std::max(record.last_used, use->second.used);
        record.uses = use->second.count;
        record.description = use->second.description;
      }
      if (record.type == RecordType::BaseLayer && record.description.empty())
        record.description = "unpacked layer of a base image";
      if (row.parent)
        if (const auto parent = snapshots_.find(*row.parent); parent != snapshots_.end()) {
          record.parent = parent->second;
          record.needs.push_back(parent->second);
        }
      snapshots_.emplace(row.id, usage_.records.size() - 1);
    }
  }

  void add_blobs() {
    for (const Digest& digest : blobs_.list()) {
      StoreRecord& record = add(RecordType::Blob, digest.str(), digest.str(), blobs_.path_of(digest));
      record.in_use = leased(LeaseKind::Blob, digest.str());
      if (const auto image = of_images_.find(digest); image != of_images_.end()) record.image = image->second;
      blob_records_.emplace(digest, usage_.records.size() - 1);
    }
  }

  /// An unpacked layer whose blob is gone would be packed anew, perhaps to other bytes: the blob stays as
  /// long.
  void connect_layers() {
    for (const Database::LayerRow& row : database_.layers()) {
      const auto snapshot = snapshots_.find(row.snapshot);
      const auto blob = blob_records_.find(row.record.digest);
      if (blob == blob_records_.end() || snapshot == snapshots_.end()) continue;
      StoreRecord& of = usage_.records[snapshot->second];
      StoreRecord& layer = usage_.records[blob->second];
      if (row.variant == "pulled") of.needs.push_back(blob->second);
      if (layer.description.empty()) layer.description = concat("layer of ", of.id);
      if (of.image.empty()) of.image = layer.image;
    }
  }

  void add_cache_mounts() {
    for (CacheMountInfo& cache : list_cache_mounts(root_ / "cache-mounts")) {
      StoreRecord& record = add(RecordType::CacheMount, concat("cache-", cache.key.substr(0, kShortKey)),
                                cache.key, root_ / "cache-mounts" / cache.key);
      record.description = std::move(cache.name);
      record.last_used = cache.last_used;
      record.in_use = cache.in_use;
    }
  }

  void add_git() {
    const fs::path home = root_ / "git";
    for (const std::string& name : names_in(home)) {
      if (!fs::is_directory(home / name)) continue;
      StoreRecord& record =
          add(RecordType::GitRepository, concat("git-", name.substr(0, kShortKey)), name, home / name);
      const fs::path lock = home / (name + ".lock");
      record.description = trim(read_regular_file_if_exists(home / name / "slipway").value_or(std::string()));
      record.last_used = std::max(record.last_used, changed_at(lock));
      record.in_use = leased(LeaseKind::GitRepository, name) || !try_lock_file(lock);
    }
  }

  void add_http() {
    for (const std::string& name : names_in(root_ / "http")) {
      StoreRecord& record = add(RecordType::HttpRecord, concat("http-", name.substr(0, kShortKey)), name,
                                root_ / "http" / name);
      record.description = "what a server said of a download";
      record.in_use = leased(LeaseKind::HttpRecord, name);
    }
  }

  void add_emulators() {
    for (const std::string& name : names_in(root_ / "emulators")) {
      if (!fs::is_directory(root_ / "emulators" / name)) continue;
      StoreRecord& record = add(RecordType::Emulators, concat("emulators-", name.substr(0, kShortKey)), name,
                                root_ / "emulators" / name);
      record.description = "emulators for other platforms";
      record.in_use = leased(LeaseKind::Emulators, name);
    }
  }

  void add_logs() {
    for (const std::string& name : names_in(root_ / "logs")) {
      StoreRecord& record = add(RecordType::Log, concat("log-", name), name, root_ / "logs" / name);
      record.description = "output of a build's steps";
      record.in_use = leased(LeaseKind::Log, name);
    }
  }

  void measure_rest() {
    usage_.other = size_of_rest(root_, disk_) + disk_.of_tree(root_ / "tmp");
    usage_.total += usage_.other;
    struct statvfs status {};
    if (::statvfs(root_.c_str(), &status) != 0) throw SystemError(errno, "statvfs", root_.native());
    const auto unit = static_cast<std::uint64_t>(status.f_frsize);
    usage_.free_space = static_cast<std::uint64_t>(status.f_bavail) * unit;
    usage_.file_system = static_cast<std::uint64_t>(status.f_blocks) * unit;
  }

  const fs::path root_;
  Database& database_;
  const BlobStore blobs_;  ///< looking is no use
  DiskUsage disk_;
  std::set<std::pair<LeaseKind, std::string>> leases_;
  std::map<Digest, std::string> of_images_;
  std::map<SnapshotId, std::size_t> snapshots_;
  std::map<Digest, std::size_t> blob_records_;
  StoreUsage usage_;
};

}  // namespace

std::string_view name_of(RecordType type) {
  switch (type) {
    case RecordType::StepResult:
      return "regular";
    case RecordType::BaseLayer:
      return "source.image";
    case RecordType::Blob:
      return "blob";
    case RecordType::CacheMount:
      return "exec.cachemount";
    case RecordType::GitRepository:
      return "source.git";
    case RecordType::HttpRecord:
      return "source.http";
    case RecordType::Emulators:
      return "internal";
    case RecordType::Log:
      return "log";
  }
  return "";
}

LeaseKind kind_of(RecordType type) {
  switch (type) {
    case RecordType::StepResult:
    case RecordType::BaseLayer:
      return LeaseKind::Snapshot;
    case RecordType::Blob:
      return LeaseKind::Blob;
    case RecordType::CacheMount:
      return LeaseKind::CacheMount;
    case RecordType::GitRepository:
      return LeaseKind::GitRepository;
    case RecordType::HttpRecord:
      return LeaseKind::HttpRecord;
    case RecordType::Emulators:
      return LeaseKind::Emulators;
    case RecordType::Log:
      return LeaseKind::Log;
  }
  return LeaseKind::Blob;
}

StoreUsage measure_store(Store& store, std::stop_token stop) { return Collection(store, stop).take(); }

}  // namespace slipway
