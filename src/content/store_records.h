#pragma once
// What is in a store, as records that can be told, measured and pruned (store_prune.h).
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "content/lease_kind.h"

namespace slipway {

class Store;

enum class RecordType {
  StepResult,  ///< a snapshot that a step made
  BaseLayer,   ///< a snapshot that a base image's layer was unpacked into
  Blob,        ///< a layer, config, manifest, download
  CacheMount,  ///< RUN --mount=type=cache; all copies of one
  GitRepository,
  HttpRecord,  ///< what a server said of a download, which itself is a blob
  Emulators,
  Log,  ///< the output of one build's steps
};

/// BuildKit's name of it where it has one: regular, source.image, blob, exec.cachemount, source.git,
/// source.http, internal, log.
std::string_view name_of(RecordType type);

/// Its leases and recorded sizes are of this.
LeaseKind kind_of(RecordType type);

struct StoreRecord {
  std::string id;  ///< unique in the store
  RecordType type = RecordType::Blob;
  std::string key;  ///< what the store knows it by: a snapshot's number, a digest, a name of a directory
  std::string description;
  std::optional<std::size_t> parent;  ///< of a snapshot, which needs it
  std::vector<std::size_t> needs;     ///< records that cannot go before this one; the parent among them
  std::uint64_t size = 0;             ///< on disk; a file with several names counts in one record only
  std::int64_t created = 0;           ///< seconds since the epoch; 0 if it is not known
  std::int64_t last_used = 0;
  std::int64_t uses = 0;  ///< processes that used it; 0 if it is not counted
  bool in_use = false;
  /// An image in the store that this blob is of, or whose layer was made from this snapshot.
  std::string image;
};

struct StoreUsage {
  std::vector<StoreRecord> records;
  std::uint64_t other = 0;  ///< the database, and what processes have in the making
  std::uint64_t total = 0;
  std::uint64_t free_space = 0;   ///< on the store's file system, for us
  std::uint64_t file_system = 0;  ///< all of it
  bool users_take_leases = true;  ///< false: an older slipway runs; in_use says nothing then
};

/// Throws Cancelled, SystemError; IntegrityError if an image's documents are damaged, as nobody knows then
/// what it needs.
StoreUsage measure_store(Store& store, std::stop_token stop);

}  // namespace slipway
