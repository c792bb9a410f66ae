#include "content/store_sizes.h"

#include "base/error.h"
#include "content/store.h"

namespace slipway {
namespace fs = std::filesystem;
namespace {

fs::path place_of(Store& store, const Database::Lease& what) {
  const fs::path& root = store.root();
  switch (what.first) {
    case LeaseKind::Snapshot:
      return root / "snapshots" / what.second;
    case LeaseKind::Blob:
      return store.blobs().path_of(Digest::parse(what.second));
    case LeaseKind::Emulators:
      return root / "emulators" / what.second;
    case LeaseKind::Log:
      return root / "logs" / what.second;
    case LeaseKind::GitRepository:
      return root / "git" / what.second;
    case LeaseKind::HttpRecord:
      return root / "http" / what.second;
    case LeaseKind::CacheMount:
      return root / "cache-mounts" / what.second;
  }
  return root;
}

bool never_changes(LeaseKind kind) { return kind == LeaseKind::Snapshot || kind == LeaseKind::Blob; }

}  // namespace

std::uint64_t size_of_rest(const fs::path& root, DiskUsage& disk) {
  std::uint64_t size = disk.of_entries(root) + disk.of_entries(root / "git") +
                       disk.of_entries(root / "emulators") + disk.of_tree(root / "history") +
                       disk.of_tree(root / "locks");
  // Those of blobs and snapshots grow to megabytes, and do not shrink.
  for (const char* name : {"blobs", "blobs/sha256", "snapshots", "cache-mounts", "http", "logs"})
    size += disk.of_itself(root / name);
  return size;
}

void record_own_sizes(Store& store, const std::stop_token& stop) {
  Database& database = store.database();
  if (!database.size_state().complete) return;
  std::set<Database::Lease> touched = database.own_leases();
  for (const std::string& key : store.cache_mounts().used()) touched.emplace(LeaseKind::CacheMount, key);
  DiskUsage disk(stop);
  std::vector<std::pair<Database::Lease, std::uint64_t>> sizes;
  for (const Database::Lease& what : touched)
    if (!never_changes(what.first) || !database.has_size(what))
      if (const std::uint64_t size = disk.of_tree(place_of(store, what)); size > 0)
        sizes.emplace_back(what, size);
  database.put_sizes(sizes, {}, {});
}

void record_all_sizes(Store& store, const std::set<Database::Lease>& before, const StoreUsage& usage) {
  std::vector<std::pair<Database::Lease, std::uint64_t>> sizes;
  std::set<Database::Lease> gone = before;
  for (const StoreRecord& record : usage.records) {
    Database::Lease what{kind_of(record.type), record.key};
    gone.erase(what);
    sizes.emplace_back(std::move(what), record.size);
  }
  std::error_code none;
  std::erase_if(gone, [&](const Database::Lease& what) { return fs::exists(place_of(store, what), none); });
  try {
    store.database().put_sizes(sizes, {gone.begin(), gone.end()}, true);
  } catch (const HostError&) {
  }
}

}  // namespace slipway
