// Comparing comes first and looks at the two listings alone, but for files of which only the ctime is new:
// whether those have changed depends on the others (a new hard link to one makes it part of the layer, a
// removed one does not), and in the end on their bytes. Writing then goes only where something changed.
#include "content/tree_changes.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/strings.h"
#include "content/file_bytes.h"
#include "content/node_copy.h"
#include "content/tree_paths.h"

namespace slipway {
namespace {

using Inode = std::pair<dev_t, ino_t>;
Inode inode_of(const ListedEntry& entry) { return {entry.status.st_dev, entry.status.st_ino}; }

bool same_time(const struct timespec& one, const struct timespec& other) {
  return nanoseconds(one) == nanoseconds(other);
}

bool same_attributes(const struct stat& one, const struct stat& other) {
  return one.st_mode == other.st_mode && one.st_uid == other.st_uid && one.st_gid == other.st_gid &&
         same_time(one.st_mtim, other.st_mtim);
}

class Comparison {
 public:
  Comparison(const RootedDir& tree, const LowerDirectory& lower, const std::stop_token& stop)
      : tree_(tree), lower_(lower), stop_(stop) {}

  void compare(const ListedEntry& before, const ListedEntry& after) {
    compare_contents(before, after, "");
    for (const Suspect& suspect : suspects_)
      if (changed_inodes_.contains(inode_of(*suspect.way.back())) || has_other_content(suspect))
        mark(suspect.way);
  }

  /// Itself, or something in it.
  bool is_changed(const ListedEntry& after) const { return changed_.contains(&after); }
  /// Nothing that had the name before is in it.
  bool is_new(const ListedEntry& after) const { return new_.contains(&after); }

 private:
  struct Suspect {
    std::vector<const ListedEntry*> way;  ///< it, and the directories it is in
    std::string directory;
  };

  void compare_contents(const ListedEntry& before, const ListedEntry& after, const std::string& path) {
    if (stop_.stop_requested()) throw Cancelled{};
    way_.push_back(&after);
    for (const ListedEntry& old : before.contents)
      if (!after.find(old.name)) mark(way_);
    for (const ListedEntry& entry : after.contents) compare_entry(before.find(entry.name), entry, path);
    way_.pop_back();
  }

  void compare_entry(const ListedEntry* before, const ListedEntry& after, const std::string& directory) {
    way_.push_back(&after);
    if (!before || !before->is_same_inode(after)) {
      mark_new(after);
      mark(way_);
    } else if (after.is_directory()) {
      if (!same_attributes(before->status, after.status) || before->xattrs != after.xattrs) mark(way_);
      compare_contents(*before, after, concat(directory, "/", after.name));
    } else if (!same_attributes(before->status, after.status) ||
               before->status.st_size != after.status.st_size ||
               before->status.st_rdev != after.status.st_rdev) {
      changed_inodes_.insert(inode_of(after));
      mark(way_);
    } else if (!same_time(before->status.st_ctim, after.status.st_ctim)) {
      suspects_.push_back({.way = way_, .directory = directory});
    }
    way_.pop_back();
  }

  void mark(const std::vector<const ListedEntry*>& way) { changed_.insert(way.begin(), way.end()); }

  void mark_new(const ListedEntry& entry) {
    new_.insert(&entry);
    changed_.insert(&entry);
    if (!entry.is_directory()) changed_inodes_.insert(inode_of(entry));
    for (const ListedEntry& inner : entry.contents) mark_new(inner);
  }

  bool has_other_content(const Suspect& suspect) {
    const ListedEntry& entry = *suspect.way.back();
    if (!S_ISREG(entry.status.st_mode)) return false;  // a link's target and a device's number never change
    const auto found = lower_at(suspect.directory).find(entry.name);
    if (!found || !S_ISREG(found->status.st_mode) || found->status.st_size != entry.status.st_size)
      return true;
    const std::string path = concat(suspect.directory, "/", entry.name);
    const RootedDir::Parent at = tree_.open_parent(path);
    const UniqueFd now = open_own(at.directory.get(), at.name, O_RDONLY | O_NONBLOCK, path);
    const UniqueFd then = open_own(AT_FDCWD, found->path.native(), O_RDONLY | O_NONBLOCK, path);
    return !same_content(now.get(), then.get(), path, stop_);
  }

  const LowerDirectory& lower_at(const std::string& directory) {
    if (!last_ || last_path_ != directory) {
      last_ = lower_;
      for (const std::string& part : path_components(directory)) last_ = last_->enter(part);
      last_path_ = directory;
    }
    return *last_;
  }

  const RootedDir& tree_;
  const LowerDirectory& lower_;
  const std::stop_token& stop_;
  std::vector<const ListedEntry*> way_;
  std::set<const ListedEntry*> changed_, new_;
  std::set<Inode> changed_inodes_;
  std::vector<Suspect> suspects_;
  std::optional<LowerDirectory> last_;  ///< most suspects lie beside the one before
  std::string last_path_;
};

class ChangeWriter {
 public:
  ChangeWriter(const Comparison& comparison, const RootedDir& upper, const std::stop_token& stop)
      : comparison_(comparison), copy_(upper, FileBytes::Own, stop) {}

  /// `before` is null where nothing was.
  void write_directory(const ListedEntry* before, const ListedEntry& after, int from, int to,
                       const std::string& path) {
    if (before)
      for (const ListedEntry& old : before->contents)
        if (!after.find(old.name)) make_whiteout(to, old.name, concat(path, "/", old.name));
    for (const ListedEntry& entry : after.contents)
      if (comparison_.is_changed(entry))
        write_entry(before ? before->find(entry.name) : nullptr, entry, from, to, path);
    copy_.finish_directory(from, after.status, to, path);
  }

 private:
  void write_entry(const ListedEntry* before, const ListedEntry& after, int from, int to,
                   const std::string& directory) {
    const std::string path = concat(directory, "/", after.name);
    if (!after.is_directory()) {
      copy_.copy({.directory = from, .name = after.name, .path = path}, after.status,
                 {.directory = to, .name = after.name, .path = path});
      return;
    }
    const UniqueFd source = open_own(from, after.name, O_RDONLY | O_DIRECTORY, path);
    if (::mkdirat(to, after.name.c_str(), 0700) != 0) throw SystemError(errno, "mkdir", path);
    const UniqueFd made = open_at(to, after.name, O_RDONLY | O_DIRECTORY, path);
    const bool is_new = comparison_.is_new(after);
    if (is_new && before && before->is_directory()) make_opaque(made.get(), path);
    write_directory(is_new ? nullptr : before, after, source.get(), made.get(), path);
  }

  const Comparison& comparison_;
  NodeCopy copy_;
};

}  // namespace

void write_changes(const ListedEntry& before, const ListedEntry& after, const RootedDir& tree,
                   const LowerDirectory& lower, const RootedDir& upper, const std::stop_token& stop) {
  Comparison comparison(tree, lower, stop);
  comparison.compare(before, after);
  const UniqueFd from = tree.open(".", O_RDONLY | O_DIRECTORY), to = upper.open(".", O_RDONLY | O_DIRECTORY);
  ChangeWriter(comparison, upper, stop).write_directory(&before, after, from.get(), to.get(), "");
}

}  // namespace slipway
