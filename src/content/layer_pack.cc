#include "content/layer_pack.h"

#include <fcntl.h>

#include <cerrno>
#include <map>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "content/file_bytes.h"
#include "content/layer_directory.h"
#include "content/lower_view.h"
#include "content/node_copy.h"
#include "content/owner_view.h"

namespace slipway {
namespace {

class Packer {
 public:
  Packer(LayerTar& tar, const std::stop_token& stop) : tar_(tar), stop_(stop) {}

  /// `prefix` is "" or ends in "/".
  void pack_entries(const LayerDirectory& directory, const std::string& prefix, const LowerDirectory& lower) {
    for (const LayerDirectory::Entry& entry : directory.entries(shown(prefix))) {
      if (stop_.stop_requested()) throw Cancelled{};
      pack_entry(directory, entry, prefix, lower);
    }
  }

  void pack_entry(const LayerDirectory& in, const LayerDirectory::Entry& found, const std::string& prefix,
                  const LowerDirectory& lower) {
    const std::string& name = found.name;
    const std::string path = prefix + name;
    const struct stat status = status_of(found, path);
    if (is_whiteout(status)) {
      // overlayfs leaves whiteouts of files that came and went within the step.
      if (lower.find(name)) add_marker(prefix + ".wh." + name, 0);
      return;
    }
    if (S_ISSOCK(status.st_mode)) return;
    if (name.starts_with(".wh."))
      throw InvalidInput(concat(
          shown(path), " cannot be put into a layer: names that begin with \".wh.\" mark deletions there"));
    LayerEntry entry = entry_for(path, status);
    if (S_ISDIR(status.st_mode)) {
      add_directory(in.enter(found, shown(path)), name, entry, lower);
    } else if (S_ISREG(status.st_mode)) {
      add_file(found.directory, name, entry, status);
    } else {
      if (S_ISLNK(status.st_mode)) entry.link = link_target(found.directory, name, shown(path));
      add_linkable(entry, status);
    }
  }

 private:
  static std::string shown(const std::string& path) { return "/" + path; }

  static LayerEntry entry_for(const std::string& path, const struct stat& status) {
    // Whole seconds: layers have no more, so that all readers see the same.
    return {.name = path,
            .mode = status.st_mode,
            .uid = status.st_uid,
            .gid = status.st_gid,
            .mtime = status.st_mtim.tv_sec,
            .size = static_cast<std::uint64_t>(status.st_size),
            .device = status.st_rdev,
            .link = {},
            .same_as = {},
            .xattrs = {}};
  }

  /// Everything goes through here: after the directories on the way that are in the layer for its sake only.
  void add(const LayerEntry& entry) {
    for (const LayerEntry& directory : unchanged_) tar_.add(directory);
    unchanged_.clear();
    tar_.add(entry);
  }

  /// The spec's marker for what is gone: an empty file (layer.md, "Whiteouts").
  void add_marker(const std::string& path, std::int64_t mtime) {
    add({.name = path, .mode = S_IFREG | 0600, .mtime = mtime, .link = {}, .same_as = {}, .xattrs = {}});
  }

  struct stat status_of(const LayerDirectory::Entry& entry, const std::string& path) const {
    struct stat status {};
    if (::fstatat(entry.directory, entry.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
      throw SystemError(errno, "stat", shown(path));
    owners_.show(status);
    return status;
  }

  void add_directory(const LayerDirectory& directory, const std::string& name, LayerEntry& entry,
                     const LowerDirectory& lower) {
    entry.xattrs = read_kept_xattrs(directory.fd(), shown(entry.name));
    // overlayfs copies a directory up for what came and went in it, such as our mount points.
    const std::size_t on_the_way = unchanged_.size();
    if (is_unchanged(entry, lower.find(name)))
      unchanged_.push_back(entry);
    else
      add(entry);
    LowerDirectory below = lower.enter(name);
    if (!below.shows_nothing() && directory.is_opaque()) {
      add_marker(entry.name + "/.wh..wh..opq", 0);
      below = {};
    }
    pack_entries(directory, entry.name + "/", below);
    if (unchanged_.size() > on_the_way) unchanged_.pop_back();
  }

  static bool is_unchanged(const LayerEntry& entry, const std::optional<LowerDirectory::Found>& below) {
    if (!below || below->status.st_mode != entry.mode || below->status.st_uid != entry.uid ||
        below->status.st_gid != entry.gid || below->status.st_mtim.tv_sec != entry.mtime)
      return false;
    const UniqueFd directory = open_file(below->path, O_RDONLY | O_DIRECTORY);
    return read_kept_xattrs(directory.get(), below->path.native()) == entry.xattrs;
  }

  void add_file(int directory, const std::string& name, LayerEntry& entry, const struct stat& status) {
    if (add_as_hard_link(entry, status)) return;
    const UniqueFd file = open_own(directory, name, O_RDONLY, shown(entry.name));
    entry.xattrs = read_kept_xattrs(file.get(), shown(entry.name));
    add(entry);
    read_blocks(file.get(), shown(entry.name), stop_,
                [this](std::string_view bytes) { tar_.add_bytes(bytes); });
  }

  void add_linkable(LayerEntry& entry, const struct stat& status) {
    if (!add_as_hard_link(entry, status)) add(entry);
  }

  bool add_as_hard_link(LayerEntry& entry, const struct stat& status) {
    if (status.st_nlink < 2) return false;
    const auto [first, is_first] = linked_.try_emplace({status.st_dev, status.st_ino}, entry.name);
    if (is_first) return false;
    entry.same_as = first->second;
    // A hard link is a link entry whatever it links to; only its first name says what it is.
    entry.mode = S_IFREG | (status.st_mode & 07777);
    entry.link.clear();
    add(entry);
    return true;
  }

  const OwnerView owners_;
  LayerTar& tar_;
  const std::stop_token& stop_;
  std::map<std::pair<dev_t, ino_t>, std::string> linked_;
  std::vector<LayerEntry>
      unchanged_;  ///< directories that are open, as they are below, with nothing added yet
};

}  // namespace

void pack_snapshot(SnapshotStore& snapshots, SnapshotId snapshot, LayerTar& tar,
                   const std::stop_token& stop) {
  const LowerDirectory lower = LowerDirectory::root_of(snapshots, snapshots.layer_parts(snapshot).below);
  Packer(tar, stop).pack_entries(LayerDirectory::root_of(snapshots, snapshot), "", lower);
}

void pack_directory(const std::filesystem::path& directory, LayerTar& tar, const std::stop_token& stop) {
  const LayerDirectory parent =
      LayerDirectory::of(open_file(directory.parent_path(), O_RDONLY | O_DIRECTORY));
  Packer(tar, stop).pack_entry(parent, {.directory = parent.fd(), .name = directory.filename()}, "", {});
}

}  // namespace slipway
