#include "content/snapshot_merge.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "content/database.h"
#include "content/file_bytes.h"
#include "content/kept_xattrs.h"
#include "content/layer_directory.h"
#include "content/lower_view.h"
#include "content/node_copy.h"
#include "content/owner_view.h"
#include "content/store.h"
#include "content/tree.h"

namespace slipway {
namespace {

/// Gives all that one layer's directory holds, whiteouts and opaque marks too, a second name in another's;
/// but for whiteouts of what is not there below: nobody needs them, and overlayfs shows them where it merges
/// nothing.
class LinkTree {
 public:
  LinkTree(const std::filesystem::path& to, const DirectoryChanged& changed, const std::stop_token& stop)
      : to_(to), changed_(changed), stop_(stop) {}

  /// Returns whether whiteouts were left out.
  bool run(const LayerDirectory& from, const LowerDirectory& lower) {
    link_contents(from, to_.open("", O_RDONLY | O_DIRECTORY).get(), "", lower);
    return left_out_;
  }

 private:
  void link_contents(const LayerDirectory& from, int to, const std::string& path,
                     const LowerDirectory& lower) {
    for (const LayerDirectory::Entry& entry : from.entries(path)) {
      if (stop_.stop_requested()) throw Cancelled{};
      const std::string shown = concat(path, "/", entry.name);
      struct stat status {};
      if (::fstatat(entry.directory, entry.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
        throw SystemError(errno, "stat", shown);
      if (S_ISDIR(status.st_mode))
        link_directory(from.enter(entry, shown), to, entry.name, shown, status, lower.enter(entry.name));
      else if (is_whiteout(status) && !lower.find(entry.name))
        left_out_ = true;
      else
        link_file(entry, to, shown);
    }
  }

  void link_directory(const LayerDirectory& source, int to, const std::string& name, const std::string& shown,
                      const struct stat& status, const LowerDirectory& lower) {
    if (::mkdirat(to, name.c_str(), 0700) != 0) throw SystemError(errno, "mkdir", shown);
    const UniqueFd made = open_at(to, name, O_RDONLY | O_DIRECTORY, shown);
    const bool opaque = source.is_opaque();
    if (const auto below = opaque ? std::nullopt : lower.self()) tell_change(shown, below->status, status);
    link_contents(source, made.get(), shown, opaque ? LowerDirectory() : lower);
    struct stat shown_status = status;
    owners_.show(shown_status);
    if (owners_.give(made.get(), "", shown_status.st_uid, shown_status.st_gid, AT_EMPTY_PATH) != 0)
      throw SystemError(errno, "chown", shown);
    if (::fchmod(made.get(), status.st_mode & 07777) != 0) throw SystemError(errno, "chmod", shown);
    if (const int error = write_xattrs(made.get(), read_kept_xattrs(source.fd(), shown)))
      throw SystemError(error, "set attributes of", shown);
    if (opaque) make_opaque(made.get(), shown);
    const struct timespec times[2] = {status.st_mtim, status.st_mtim};
    if (::futimens(made.get(), times) != 0) throw SystemError(errno, "set times of", shown);
  }

  void link_file(const LayerDirectory::Entry& entry, int to, const std::string& shown) {
    if (::linkat(entry.directory, entry.name.c_str(), to, entry.name.c_str(), 0) == 0) return;
    // A file can have only so many names; some file systems know no second ones.
    if (errno != EMLINK && errno != EPERM && errno != EXDEV && errno != EOPNOTSUPP)
      throw SystemError(errno, "link", shown);
    const RootedDir from(open_at(entry.directory, ".", O_RDONLY | O_DIRECTORY, shown), shown);
    copy_selection({.tree = &from, .src = entry.name, .allow_wildcard = false, .follow_symlink = false}, to_,
                   {.dest = shown, .for_layer = false}, stop_);
  }

  void tell_change(const std::string& shown, const struct stat& before, const struct stat& after) const {
    const auto same = [](const struct stat& a, const struct stat& b) {
      return a.st_mode == b.st_mode && a.st_uid == b.st_uid && a.st_gid == b.st_gid;
    };
    if (!changed_ || same(before, after)) return;
    const auto text = [](const struct stat& status) {
      char digits[8];
      std::snprintf(digits, sizeof digits, "%04o", status.st_mode & 07777U);
      return concat("mode ", digits, ", owner ", status.st_uid, ":", status.st_gid);
    };
    changed_(concat("the directory ", shown, " had ", text(before), " and has ", text(after), " now"));
  }

  const OwnerView owners_;
  const RootedDir to_;
  const DirectoryChanged& changed_;
  const std::stop_token& stop_;
  bool left_out_ = false;
};

struct LaidOver {
  SnapshotId id;
  bool left_out = false;
};

LaidOver lay_over(Store& store, const std::optional<SnapshotId>& base, SnapshotId upper, std::int64_t created,
                  const DirectoryChanged& changed, const std::stop_token& stop) {
  SnapshotStore& snapshots = store.snapshots();
  // What was laid over something itself may lack whiteouts that matter here.
  const SnapshotId source = store.database().find_layer_source(upper).value_or(upper);
  ActiveSnapshot active = snapshots.prepare_unmounted(base);
  const bool left_out =
      LinkTree(active.upper(), changed, stop)
          .run(LayerDirectory::root_of(snapshots, source), LowerDirectory::root_of(snapshots, base));
  const SnapshotId id = snapshots.commit(std::move(active), created);
  store.database().put_layer_source(id, source);
  return {.id = id, .left_out = left_out};
}

}  // namespace

StackedSnapshots stack_snapshots(Store& store, std::optional<SnapshotId> base,
                                 const std::vector<SnapshotId>& layers, std::int64_t created,
                                 const DirectoryChanged& changed, std::stop_token stop) {
  StackedSnapshots stacked{.top = base};
  std::vector<SnapshotId> made;
  try {
    for (const SnapshotId layer : layers) {
      const LaidOver laid = lay_over(store, stacked.top, layer, created, changed, stop);
      made.push_back(laid.id);
      stacked.top = laid.id;
      stacked.left_out = stacked.left_out || laid.left_out;
    }
  } catch (...) {
    for (; !made.empty(); made.pop_back()) store.snapshots().remove(made.back());
    throw;
  }
  return stacked;
}

SnapshotId merge_snapshot(Store& store, const std::optional<SnapshotId>& base, SnapshotId upper,
                          std::int64_t created, const DirectoryChanged& changed, std::stop_token stop) {
  const std::vector<SnapshotId> layers = store.snapshots().layers(upper);
  if (!base) return upper;
  return *stack_snapshots(store, base, layers, created, changed, std::move(stop)).top;
}

}  // namespace slipway
