#include "content/store_repair.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <set>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "content/database.h"
#include "content/image_blobs.h"
#include "content/image_index.h"
#include "content/snapshot_check.h"
#include "content/snapshot_files.h"
#include "content/store.h"
#include "content/store_session.h"
#include "manifest/media_types.h"

namespace slipway {
namespace fs = std::filesystem;
namespace {

class Repair {
 public:
  Repair(Store& store, StoreReading reading)
      : store_(store),
        database_(store.database()),
        blobs_(store.root() / "blobs" / "sha256", store.temp_directory()),
        reading_(reading) {}

  std::vector<std::string> run() {
    if (const std::uint64_t rows = database_.remove_dangling_rows(); rows > 0)
      done_.push_back(concat("forgot ", rows, " rows that belonged to no snapshot"));
    if (reading_ == StoreReading::Bytes) repair_blobs();
    repair_layers();
    repair_snapshots();
    repair_images();
    return std::move(done_);
  }

 private:
  void repair_snapshots() {
    const fs::path directory = store_.root() / "snapshots";
    std::set<SnapshotId> damaged;
    if (reading_ == StoreReading::Bytes)
      for (const DamagedSnapshot& one : find_damaged_snapshots(store_.snapshots(), blobs_, database_, {}))
        damaged.insert(one.id);
    const std::vector<SnapshotId> lost = database_.remove_snapshots_without([&](SnapshotId id) {
      std::error_code error;
      return !damaged.contains(id) && fs::is_directory(directory / std::to_string(id.value) / "fs", error);
    });
    for (const SnapshotId id : lost)
      done_.push_back(
          concat("forgot snapshot ", id.value, ": it, or one that it stands on, is not there or damaged"));
    std::vector<SnapshotId> known;
    std::vector<fs::path> leftovers;
    database_.with_snapshots_held([&](const std::vector<Database::SnapshotRow>& rows) {
      for (const Database::SnapshotRow& row : rows) known.push_back(row.id);
      leftovers = snapshot_leftovers(directory, known);
    });
    if (leftovers.empty()) return;
    clear_snapshot_leftovers(directory, store_.temp_directory(), database_);
    done_.push_back(concat("removed ", leftovers.size(), " directories that belong to no snapshot"));
  }

  void repair_blobs() {
    for (const Digest& digest : blobs_.list())
      if (blobs_.remove_if_damaged(digest))
        done_.push_back(concat("removed blob ", digest.str(), ": its bytes had another digest"));
  }

  void repair_layers() {
    for (const std::string& layer : database_.remove_layers_without(
             [&](const Digest&digest, std::uint64_t size) { return blobs_.size(digest) == size; }))
      done_.push_back(concat("forgot layer ", layer, ": its blob is not there or has another size"));
  }

  void repair_images() {
    std::vector<std::string> lost;
    for (const Database::ImageRow& row : database_.images())
      if (!is_whole_image(blobs_, row)) lost.push_back(row.name);
    for (const std::string& name : lost)
      done_.push_back(concat("forgot the image ", name, ": not all of its blobs are there"));
    if (!lost.empty()) return store_.images().remove_rows(lost);
    if (read_file_if_exists(store_.root() / "index.json") == index_json(database_.images())) return;
    store_.images().rewrite_index();
    done_.push_back("wrote index.json anew");
  }

  Store& store_;
  Database& database_;
  BlobStore blobs_;  ///< looking is no use
  const StoreReading reading_;
  std::vector<std::string> done_;
};

fs::path free_name(const fs::path& database) {
  for (int number = 1;; ++number)
    if (fs::path name = concat(database.native(), ".damaged-", number); !fs::exists(name)) return name;
}

/// What index.json says, as far as it says anything; the rows need not be right.
std::vector<Database::ImageRow> images_of_index(const fs::path& root) {
  std::vector<Database::ImageRow> rows;
  try {
    for (Descriptor& descriptor :
         parse_index(read_file_if_exists(root / "index.json").value_or(std::string())).value.manifests) {
      const auto name = descriptor.annotations.extract(kImageRefName);
      if (!name.empty()) rows.push_back({.name = name.mapped(), .descriptor = to_json(descriptor)});
    }
  } catch (const Error&) {  // then there are none
  }
  return rows;
}

}  // namespace

std::vector<std::string> repair_store(Store& store, StoreReading reading) {
  return Repair(store, reading).run();
}

bool has_sound_database(const fs::path& root) {
  if (::access((root / "slipway.db").c_str(), F_OK) != 0) return true;
  try {
    return Database(root / "slipway.db").is_well_formed();
  } catch (const IntegrityError&) {
    return false;
  }
}

std::vector<std::string> replace_database(const fs::path& root, const std::function<Store&()>& reopen) {
  const fs::path database = root / "slipway.db";
  const std::vector<Database::ImageRow> named = images_of_index(root);
  std::vector<std::string> done;
  {
    const StoreLock lock(root);
    if (const std::size_t others = living_sessions(root).names.size(); others > 0) {
      HostError error(concat("the database is damaged, and ", others, " other slipway processes use it"));
      error.set_hint("Repair the store when they have ended.");
      throw error;
    }
    const fs::path aside = free_name(database);
    for (const char* part : {"", "-wal", "-shm"}) {
      const fs::path from = database.native() + part, to = aside.native() + part;
      if (std::rename(from.c_str(), to.c_str()) != 0 && errno != ENOENT)
        throw SystemError(errno, "rename", from.native());
    }
    done.push_back(concat("set the damaged database aside as ", aside.native()));
  }
  Store& store = reopen();
  const BlobStore blobs(store.root() / "blobs" / "sha256", store.temp_directory());
  for (const Database::ImageRow& row : named) {
    try {
      if (!is_whole_image(blobs, row)) {
        done.push_back(concat("lost the image ", row.name, ": not all of its blobs are there"));
        continue;
      }
      store.images().set({ImageRef::parse(row.name)}, parse_descriptor(row.descriptor));
      done.push_back(concat("named the image ", row.name, " again"));
    } catch (const InvalidInput&) {  // no name that slipway gave
    }
  }
  done.push_back("the results of steps are forgotten and will be built again; blobs are kept");
  return done;
}

}  // namespace slipway
