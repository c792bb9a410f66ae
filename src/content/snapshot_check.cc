#include "content/snapshot_check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <map>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/files.h"
#include "base/rooted.h"
#include "base/strings.h"
#include "content/blob_store.h"
#include "content/database.h"
#include "content/layer_reader.h"
#include "content/snapshots.h"
#include "content/tree_outline.h"

namespace slipway {
namespace fs = std::filesystem;
namespace {

/// A layer's directories against its blob.
class LayerComparison {
 public:
  struct Difference {
    SnapshotId part;
    std::string file;
  };

  /// `parts`: uppermost first.
  LayerComparison(const SnapshotStore& snapshots, const std::vector<SnapshotId>& parts) {
    for (const SnapshotId part : parts) parts_.push_back({part, RootedDir(snapshots.diff_directory(part))});
  }

  /// A file with other bytes; nothing if there is none. Throws InvalidInput, SystemError.
  std::optional<Difference> find_difference(const fs::path& blob) {
    const UniqueFd fd{::open(blob.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!fd) throw SystemError(errno, "open", blob.native());
    LayerReader reader(fd.get(), LayerReader::Filters::OfLayers, blob.native(), {});
    while (const LayerEntry* entry = reader.next())
      if (S_ISREG(entry->mode)) compare(*entry, reader);
    return differing_.empty() ? std::nullopt : std::optional(differing_.begin()->second);
  }

 private:
  using Inode = std::pair<dev_t, ino_t>;
  struct Part {
    SnapshotId id;
    RootedDir directory;
  };
  struct Found {
    SnapshotId part;
    UniqueFd file;
  };

  // A tar may name a file twice: what comes last is what was unpacked. A hard link has no bytes of its own.
  void compare(const LayerEntry& entry, LayerReader& reader) {
    const auto file = find(entry.name);
    if (!file) return;
    struct stat status {};
    if (::fstat(file->file.get(), &status) != 0) throw SystemError(errno, "stat", entry.name);
    const Inode inode{status.st_dev, status.st_ino};
    if (!entry.same_as.empty() || is_same(file->file.get(), status, entry, reader))
      differing_.erase(inode);
    else
      differing_[inode] = {file->part, entry.name};
  }

  // Nothing if something else has its place; the outline tells of that.
  std::optional<Found> find(const std::string& name) const {
    for (const Part& part : parts_) {
      const auto status = part.directory.stat(name, /*follow=*/false);
      if (!status) continue;
      if (!S_ISREG(status->st_mode)) return std::nullopt;
      return Found{part.id, part.directory.open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)};
    }
    return std::nullopt;
  }

  static bool is_same(int file, const struct stat& status, const LayerEntry& entry, LayerReader& reader) {
    if (static_cast<std::uint64_t>(status.st_size) != entry.size) return false;
    bool same = true;
    std::string own;
    reader.read_bytes([&](std::uint64_t offset, std::string_view bytes) {
      if (!same) return;
      own.resize(bytes.size());
      const ssize_t got = ::pread(file, own.data(), own.size(), static_cast<off_t>(offset));
      same = got == static_cast<ssize_t>(bytes.size()) && own == bytes;
    });
    return same;
  }

  std::vector<Part> parts_;
  std::map<Inode, Difference> differing_;
};

class SnapshotCheck {
 public:
  SnapshotCheck(const SnapshotStore& snapshots, const BlobStore& blobs, Database& database)
      : snapshots_(snapshots), blobs_(blobs), database_(database) {}

  void check_outlines() {
    for (const auto& [id, outline] : database_.outlines())
      guarded(id, [&, id = id, &outline = outline] {
        const fs::path directory = snapshots_.diff_directory(id);
        std::error_code error;
        if (fs::is_directory(directory, error) && outline_of_tree(directory) != outline)
          add(id, "is not as it was made: files are missing, added, or of another size, time or permissions");
      });
  }

  void check_layers(const std::set<Digest>& damaged_blobs) {
    std::set<SnapshotId> seen;
    for (const Database::LayerRow& row : database_.layers()) {
      const Digest& digest = row.record.digest;
      if (found_.contains(row.snapshot) || damaged_blobs.contains(digest) || !blobs_.has(digest) ||
          !seen.insert(row.snapshot).second)
        continue;
      guarded(row.snapshot, [&] {
        LayerComparison layer(snapshots_, snapshots_.layer_parts(row.snapshot).parts);
        if (const auto difference = layer.find_difference(blobs_.path_of(digest)))
          add(difference->part,
              concat("is damaged: ", difference->file, " has other bytes than in its layer ", digest.str()));
      });
    }
  }

  std::vector<DamagedSnapshot> take() {
    std::vector<DamagedSnapshot> all;
    for (auto& [id, what] : found_) all.push_back({.id = id, .what = std::move(what)});
    return all;
  }

 private:
  // What cannot be read is damaged, unless it was pruned meanwhile.
  template <class Part>
  void guarded(SnapshotId id, Part part) {
    try {
      part();
    } catch (const Error& e) {
      add(id, concat("cannot be read: ", std::string_view(e.what())));
    }
  }

  void add(SnapshotId id, std::string_view what) {
    if (snapshots_.exists(id)) found_.emplace(id, concat("snapshot ", id.value, " ", what));
  }

  const SnapshotStore& snapshots_;
  const BlobStore& blobs_;
  Database& database_;
  std::map<SnapshotId, std::string> found_;
};

}  // namespace

std::vector<DamagedSnapshot> find_damaged_snapshots(const SnapshotStore& snapshots, const BlobStore& blobs,
                                                    Database& database,
                                                    const std::set<Digest>& damaged_blobs) {
  SnapshotCheck check(snapshots, blobs, database);
  check.check_outlines();
  check.check_layers(damaged_blobs);
  return check.take();
}

}  // namespace slipway
