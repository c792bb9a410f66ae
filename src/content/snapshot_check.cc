#include "content/snapshot_check.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "base/unique_fd.h"
#include "content/blob_store.h"
#include "content/database.h"
#include "content/layer_reader.h"
#include "content/snapshots.h"
#include "content/tree_outline.h"

namespace slipway {
namespace fs = std::filesystem;
namespace {

// A link in the way was not there, or not like that, when the entry was unpacked. Nothing if there is nothing
// of that name, or it may not be opened. Throws SystemError.
std::optional<UniqueFd> open_exactly(int root, const std::string& path, int flags) {
  struct open_how how {};
  how.flags = static_cast<unsigned long long>(flags) | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  while (true) {
    UniqueFd fd{static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how))};
    if (fd) return fd;
    switch (errno) {
      case EINTR:
      case EAGAIN:
        continue;
      case ENOENT:
      case ENOTDIR:
      case ELOOP:
      case EACCES:
      case EPERM:
        return std::nullopt;
      default:
        throw SystemError(errno, "open", path);
    }
  }
}

/// A layer's directories against its blob.
class LayerComparison {
 public:
  struct Difference {
    SnapshotId part;
    std::string file;
  };

  /// `parts`: uppermost first.
  LayerComparison(const SnapshotStore& snapshots, const std::vector<SnapshotId>& parts) {
    for (const SnapshotId part : parts)
      parts_.push_back({part, open_file(snapshots.diff_directory(part), O_PATH | O_DIRECTORY)});
  }

  /// A file with other bytes; nothing if there is none. Throws InvalidInput, SystemError.
  std::optional<Difference> find_difference(const fs::path& blob) {
    const UniqueFd fd = open_file(blob, O_RDONLY);
    LayerReader reader(fd.get(), LayerReader::Filters::OfLayers, blob.native(), {});
    while (const LayerEntry* entry = reader.next()) {
      const std::string name = clean_entry_name(entry->name);
      take_back(name, S_ISDIR(entry->mode));
      // A hard link has no bytes of its own, whatever its header says.
      if (S_ISREG(entry->mode) && entry->same_as.empty()) compare(name, entry->size, reader);
    }
    if (differing_.empty()) return std::nullopt;
    return Difference{.part = differing_.begin()->second, .file = differing_.begin()->first};
  }

 private:
  struct Part {
    SnapshotId id;
    UniqueFd directory;
  };

  // A tar may name a thing twice: what comes last is what was unpacked.
  void take_back(const std::string& name, bool stays_directory) {
    differing_.erase(name);
    if (stays_directory) return;
    const std::string below = concat(name, "/");
    auto at = differing_.lower_bound(below);
    while (at != differing_.end() && at->first.starts_with(below)) at = differing_.erase(at);
  }

  // If something else has its place, or a part above took it away, the outlines tell of that.
  void compare(const std::string& name, std::uint64_t size, LayerReader& reader) {
    for (const Part& part : parts_) {
      const auto found = open_exactly(part.directory.get(), name, O_PATH);
      if (!found) continue;
      struct stat status {};
      if (::fstat(found->get(), &status) != 0) throw SystemError(errno, "stat", name);
      if (!S_ISREG(status.st_mode)) return;
      const auto file = open_exactly(part.directory.get(), name, O_RDONLY | O_NONBLOCK);
      const bool is_size = static_cast<std::uint64_t>(status.st_size) == size;
      if (file && !(is_size && has_bytes(file->get(), name, reader))) differing_.emplace(name, part.id);
      return;
    }
  }

  static bool has_bytes(int file, const std::string& name, LayerReader& reader) {
    bool same = true;
    std::string own;
    reader.read_bytes([&](std::uint64_t offset, std::string_view bytes) {
      for (std::size_t done = 0; same && done < bytes.size();) {
        own.resize(bytes.size() - done);
        const ssize_t got = ::pread(file, own.data(), own.size(), static_cast<off_t>(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throw SystemError(errno, "read", name);
        own.resize(static_cast<std::size_t>(got));
        same = got > 0 && bytes.substr(done, own.size()) == own;
        done += own.size();
      }
    });
    return same;
  }

  std::vector<Part> parts_;
  std::map<std::string, SnapshotId> differing_;
};

class SnapshotCheck {
 public:
  SnapshotCheck(const SnapshotStore& snapshots, const BlobStore& blobs, Database& database)
      : snapshots_(snapshots), blobs_(blobs), database_(database) {}

  void check_outlines() {
    for (const auto& [id, outline] : database_.outlines())
      guarded(id, [&, id = id, &outline = outline] {
        const fs::path directory = snapshots_.diff_directory(id);
        if (is_there(id) && outline_of_tree(directory) != outline)
          add(id, "is not as it was made: files are missing, added, or of another size, time or permissions");
      });
  }

  void check_layers(const std::set<Digest>& damaged_blobs) {
    std::set<SnapshotId> seen;
    for (const Database::LayerRow& row : database_.layers()) {
      const Digest& digest = row.record.digest;
      if (found_.contains(row.snapshot) || damaged_blobs.contains(digest) || !blobs_.has(digest) ||
          !seen.insert(row.snapshot).second || !has_directories(row.snapshot))
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
  // What a disk or its file system cannot give is damaged, unless it was pruned meanwhile. What this process
  // may not have, or has no room for, says nothing of the store.
  template <class Part>
  void guarded(SnapshotId id, Part part) {
    try {
      part();
    } catch (const SystemError& e) {
      static const std::set<int> kDamage = {EIO, ENOENT, ENOTDIR, EUCLEAN, EBADMSG};
      if (!kDamage.contains(e.error_number())) throw;
      add(id, concat("cannot be read: ", std::string_view(e.what())));
    }
  }

  // That it is not is told elsewhere.
  bool is_there(SnapshotId id) const {
    std::error_code error;
    return fs::is_directory(snapshots_.diff_directory(id), error);
  }
  bool has_directories(SnapshotId id) const {
    return snapshots_.exists(id) && std::ranges::all_of(snapshots_.layer_parts(id).parts,
                                                        [&](SnapshotId part) { return is_there(part); });
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
