// Store::check. Looks at everything, changes nothing. What is fatal: a row whose bytes are missing or wrong.
// What is not: bytes without a row, and what a killed process left; the next start clears that.
#include <set>

#include "base/error.h"
#include "base/files.h"
#include "base/regular_file.h"
#include "base/strings.h"
#include "content/blob_digest.h"
#include "content/database.h"
#include "content/image_blobs.h"
#include "content/image_index.h"
#include "content/overlay_mount.h"
#include "content/snapshot_check.h"
#include "content/snapshot_files.h"
#include "content/store.h"
#include "content/store_names.h"
#include "content/store_session.h"
#include "manifest/media_types.h"

namespace slipway {
namespace fs = std::filesystem;
namespace {

/// What is listed may have been removed since, by a pruning.
bool is_or_gone(const fs::directory_entry& entry, fs::file_type type) {
  std::error_code error;
  const fs::file_type found = entry.symlink_status(error).type();
  return found == type || found == fs::file_type::not_found;
}

class StoreCheck {
 public:
  StoreCheck(const fs::path& root, BlobStore& blobs, const SnapshotStore& snapshots, Database& database)
      : root_(root), blobs_(blobs), snapshots_(snapshots), database_(database) {}

  void check_database() {
    for (const std::string& line : database_.integrity_problems()) fatal(concat("database: ", line));
  }

  void check_blobs(bool read) {
    for (const fs::directory_entry& entry : fs::directory_iterator(root_ / "blobs" / "sha256")) {
      if (!Digest::is_valid(concat("sha256:", entry.path().filename().native()))) {
        leftover(concat(entry.path().native(), " is no blob"));
      } else if (!is_or_gone(entry, fs::file_type::regular)) {
        fatal(concat(entry.path().native(), " is no regular file: the blob cannot be put there"));
      }
    }
    if (!read) return;
    for (const Digest& digest : blobs_.list()) {
      if (is_blob(blobs_.path_of(digest), digest) || !blobs_.has(digest)) continue;  // pruned since
      damaged_blobs_.insert(digest);
      fatal(concat("blob ", digest.str(), " is damaged: its bytes have another digest"));
    }
  }

  /// What slipway did not make it does not remove, so it may be there for long.
  void check_foreign() {
    const auto note = [&](const fs::path& path) { leftover(concat(path.native(), " is not slipway's")); };
    for (const fs::directory_entry& entry : fs::directory_iterator(root_))
      if (!is_store_name(entry.path().filename().native())) note(entry.path());
    for (const fs::directory_entry& entry : fs::directory_iterator(root_ / "snapshots"))
      if (!parse_unsigned(entry.path().filename().native()) || !is_or_gone(entry, fs::file_type::directory))
        note(entry.path());
    for (const fs::directory_entry& entry : fs::directory_iterator(root_ / "blobs"))
      if (entry.path().filename() != "sha256") note(entry.path());
  }

  void check_images() {
    const std::vector<Database::ImageRow> rows = database_.images();
    for (const Database::ImageRow& row : rows)
      guarded(concat("image ", row.name),
              [&] { check_document(parse_descriptor(row.descriptor), row.name, 0); });
    guarded("index.json", [&] {
      if (read_regular_file_if_exists(root_ / "index.json") != index_json(rows))
        leftover("index.json does not list the images of the database; naming an image writes it anew");
    });
  }

  void check_layers() {
    for (const Database::LayerRow& row : database_.layers()) {
      const auto size = blobs_.size(row.record.digest);
      const std::string what = concat("snapshot ", row.snapshot.value, "'s layer ", row.record.digest.str());
      // A pulled layer's blob can be pulled again; its snapshot is what builds use.
      if (!size) add(concat(what, " is missing"), row.variant != "pulled");
      if (size && *size != row.record.size)
        fatal(concat(what, " has ", *size, " bytes instead of ", row.record.size));
    }
  }

  void check_snapshots() {
    const fs::path directory = root_ / "snapshots";
    database_.with_snapshots_held([&](const std::vector<Database::SnapshotRow>& rows) {
      std::vector<SnapshotId> known;
      for (const Database::SnapshotRow& row : rows) {
        known.push_back(row.id);
        std::error_code error;
        if (!fs::is_directory(directory / std::to_string(row.id.value) / "fs", error))
          fatal(concat("snapshot ", row.id.value, "'s directory is missing"));
      }
      for (const fs::path& path : snapshot_leftovers(directory, known))
        leftover(concat(path.native(), " belongs to no snapshot"));
    });
  }

  void check_trees() {
    for (const DamagedSnapshot& damaged :
         find_damaged_snapshots(snapshots_, blobs_, database_, damaged_blobs_))
      fatal(damaged.what);
  }

  void check_temporary() {
    const StoreLock lock(root_);
    for (const fs::path& dead : dead_sessions(root_)) {
      leftover(concat(dead.native(), " was left by a killed slipway; the next start removes it"));
      for (const fs::path& mount : mounts_below(dead)) leftover(concat(mount.native(), " is still mounted"));
    }
  }

  std::vector<StoreProblem> take() { return std::move(problems_); }

  /// Runs one part, whose failure is a finding like others.
  template <class Part>
  void guarded(const std::string& what, Part part) {
    try {
      part();
    } catch (const Error& e) {
      fatal(concat(what, ": ", std::string_view(e.what())));
    } catch (const fs::filesystem_error& e) {
      fatal(concat(what, ": ", std::string_view(e.what())));
    }
  }

 private:
  void check_document(const Descriptor& descriptor, const std::string& image, int depth) {
    constexpr int kDeepest = 8;
    if (depth > kDeepest) return fatal(concat("image ", image, ": indexes nested over ", kDeepest, " deep"));
    if (!check_present(descriptor, image)) return;
    if (media_type::is_index(descriptor.media_type)) {
      for (const Descriptor& entry : parse_index(blobs_.read(descriptor.digest)).value.manifests)
        guarded(concat("image ", image), [&] { check_document(entry, image, depth + 1); });
    } else if (media_type::is_manifest(descriptor.media_type)) {
      const Manifest manifest = parse_manifest(blobs_.read(descriptor.digest)).value;
      if (manifest.config) check_present(*manifest.config, image);
      for (const Descriptor& layer : manifest.layers)
        if (!may_be_absent(layer)) check_present(layer, image);
    }
  }

  bool check_present(const Descriptor& descriptor, const std::string& image) {
    const auto size = blobs_.size(descriptor.digest);
    const std::string what = concat("image ", image, ": blob ", descriptor.digest.str());
    if (!size) {
      fatal(concat(what, " (", descriptor.media_type, ") is missing"));
      return false;
    }
    if (*size == descriptor.size) return true;
    fatal(concat(what, " has ", *size, " bytes instead of ", descriptor.size));
    return false;
  }

  void add(std::string what, bool is_fatal) {
    if (said_.insert(what).second) problems_.push_back({.what = std::move(what), .fatal = is_fatal});
  }
  void fatal(std::string what) { add(std::move(what), true); }
  void leftover(std::string what) { add(std::move(what), false); }

  const fs::path& root_;
  BlobStore& blobs_;
  const SnapshotStore& snapshots_;
  Database& database_;
  std::set<Digest> damaged_blobs_;
  std::vector<StoreProblem> problems_;
  std::set<std::string> said_;  ///< images share blobs
};

}  // namespace

std::vector<StoreProblem> Store::check(bool read) {
  BlobStore blobs(root_ / "blobs" / "sha256", temp_);  // looking is no use
  StoreCheck check(root_, blobs, *snapshots_, *database_);
  check.guarded("database", [&] { check.check_database(); });
  check.guarded("blobs", [&] { check.check_blobs(read); });
  check.guarded("images", [&] { check.check_images(); });
  check.guarded("layers", [&] { check.check_layers(); });
  check.guarded("snapshots", [&] { check.check_snapshots(); });
  if (read) check.guarded("snapshots", [&] { check.check_trees(); });
  check.guarded("foreign files", [&] { check.check_foreign(); });
  check.guarded("tmp", [&] { check.check_temporary(); });
  return check.take();
}

}  // namespace slipway
