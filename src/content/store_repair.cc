#include "content/store_repair.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <ctime>
#include <set>

#include "base/error.h"
#include "base/files.h"
#include "base/regular_file.h"
#include "base/strings.h"
#include "content/database.h"
#include "content/image_blobs.h"
#include "content/image_index.h"
#include "content/snapshot_check.h"
#include "content/snapshot_files.h"
#include "content/store.h"
#include "content/store_names.h"
#include "content/store_remains.h"
#include "content/store_session.h"
#include "manifest/media_types.h"

namespace slipway {
namespace fs = std::filesystem;
namespace {

fs::path free_name(const fs::path& path, const char* ending) {
  for (int number = 1;; ++number)
    if (fs::path name = concat(path.native(), ending, number); !fs::exists(fs::symlink_status(name)))
      return name;
}

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
    clear_places_of_blobs();
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

  /// Nothing can be renamed to where a directory is. Whatever it is, slipway did not make it, so it stays.
  void clear_places_of_blobs() {
    std::vector<fs::path> in_the_way;
    for (const fs::directory_entry& entry : fs::directory_iterator(store_.root() / "blobs" / "sha256"))
      if (Digest::is_valid(concat("sha256:", entry.path().filename().native())) &&
          !fs::is_regular_file(entry.symlink_status()))
        in_the_way.push_back(entry.path());
    for (const fs::path& path : in_the_way) {
      const fs::path aside = free_name(path, ".foreign-");
      if (std::rename(path.c_str(), aside.c_str()) != 0) throw SystemError(errno, "rename", path.native());
      done_.push_back(concat("set aside as ", aside.native(), " what was in the place of a blob"));
    }
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
    if (read_regular_file_if_exists(store_.root() / "index.json") == index_json(database_.images())) return;
    store_.images().rewrite_index();
    done_.push_back("wrote index.json anew");
  }

  Store& store_;
  Database& database_;
  BlobStore blobs_;  ///< looking is no use
  const StoreReading reading_;
  std::vector<std::string> done_;
};

void refuse_other_users(const fs::path& root) {
  const std::size_t others = living_sessions(root).names.size();
  if (others == 0) return;
  HostError error(concat("the database is damaged, and ", others, " other slipway processes use it"));
  error.set_hint("Repair the store when they have ended.");
  throw error;
}

/// False if there is none to set aside.
bool set_database_aside(const fs::path& root, std::vector<std::string>& done) {
  const fs::path database = root / "slipway.db", aside = free_name(database, ".damaged-");
  bool any = false;
  for (const char* part : {"", "-wal", "-shm"}) {
    const fs::path from = database.native() + part, to = aside.native() + part;
    if (std::rename(from.c_str(), to.c_str()) == 0) {
      any = true;
    } else if (errno != ENOENT) {
      throw SystemError(errno, "rename", from.native());
    }
  }
  if (any) done.push_back(concat("set the damaged database aside as ", aside.native()));
  return any;
}

std::vector<Database::ImageRow> whole_images_of_index(const fs::path& root, std::vector<std::string>& done) {
  const BlobStore blobs(root / "blobs" / "sha256", root / "tmp");
  std::vector<Database::ImageRow> whole;
  for (const Database::ImageRow& row : images_of_index(root)) {
    try {
      const std::string name = ImageRef::parse(row.name).str();
      if (!is_whole_image(blobs, row)) {
        done.push_back(concat("lost the image ", name, ": not all of its blobs are there"));
        continue;
      }
      whole.push_back({.name = name, .descriptor = row.descriptor, .updated = std::time(nullptr)});
      done.push_back(concat("named the image ", name, " again"));
    } catch (const InvalidInput&) {  // no name that slipway gave
    }
  }
  return whole;
}

/// It comes into place with its names: who kills us leaves no database, which the next start tells from a new
/// store, or one that has them.
void make_database(const fs::path& root, const std::vector<Database::ImageRow>& images) {
  const fs::path database = root / "slipway.db", made = root / "slipway.db.new";
  for (const char* part : {"", "-wal", "-shm"}) ::unlink((made.native() + part).c_str());
  Database(made).set_images(images, [](const auto&) {});
  for (const char* part : {"-wal", "-shm", ""}) {  // closed, it has but the last
    const fs::path from = made.native() + part, to = database.native() + part;
    if (std::rename(from.c_str(), to.c_str()) != 0 && (errno != ENOENT || !*part))
      throw SystemError(errno, "rename", from.native());
  }
  fsync_directory(root);
}

}  // namespace

std::vector<std::string> repair_store(Store& store, StoreReading reading) {
  return Repair(store, reading).run();
}

bool has_sound_database(const fs::path& root) {
  const fs::path database = root / "slipway.db";
  const auto refuse = [&] { refuse_lost_database(root); };
  try {
    if (::access(database.c_str(), F_OK) == 0) return Database(database, {}, refuse).is_well_formed();
    if (fs::is_directory(root) && !is_foreign_directory(root)) refuse();
    return true;
  } catch (const IntegrityError&) {
    return false;
  }
}

std::vector<std::string> replace_database(const fs::path& root, const std::function<Store&()>& reopen) {
  std::vector<std::string> done;
  bool replaced_by_another = false;
  {
    const StoreLock lock(root);
    replaced_by_another = has_sound_database(root);
    if (!replaced_by_another) {
      refuse_other_users(root);
      if (!set_database_aside(root, done)) done.push_back("made a new database");
      make_database(root, whole_images_of_index(root, done));
    }
  }
  Store& store = reopen();
  if (replaced_by_another) return {};
  store.images().rewrite_index();
  done.push_back("the results of steps are forgotten and will be built again; blobs are kept");
  return done;
}

}  // namespace slipway
