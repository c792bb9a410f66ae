#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <map>

#include "base/error.h"
#include "base/strings.h"
#include "content/file_bytes.h"
#include "content/kept_xattrs.h"
#include "content/tree.h"
#include "content/tree_paths.h"
#include "content/tree_walk.h"

namespace slipway {
namespace {

using Inode = std::pair<dev_t, ino_t>;

/// A place in the target that is about to be written.
struct Place {
  int directory = -1;
  std::string name;
  std::string shown;
};

std::optional<struct stat> status_at(const Place& place) {
  struct stat status {};
  if (::fstatat(place.directory, place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) return status;
  if (errno == ENOENT) return std::nullopt;
  throw SystemError(errno, "stat", place.shown);
}

/// Owner, mode, attributes and times of what was just made, in the order in which they do not undo each
/// other: chown clears the set-user-id bits and file capabilities.
class MetadataCopy {
 public:
  explicit MetadataCopy(const CopyOptions& options) : options_(options) {}

  void own(const Place& place, const struct stat& from) const {
    const uid_t uid = options_.uid.value_or(from.st_uid);
    const gid_t gid = options_.gid.value_or(from.st_gid);
    if (::fchownat(place.directory, place.name.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW) == 0) return;
    // The source's owner may have no meaning here (no mapping in our user namespace, or we are nobody
    // special); an owner that was asked for must be had.
    const bool asked = options_.uid || options_.gid;
    if (asked || (errno != EPERM && errno != EINVAL)) throw SystemError(errno, "chown", place.shown);
  }

  void finish(int fd, const Place& place, const TreeEntry& entry, const Xattrs& xattrs) const {
    own(place, entry.status);
    const mode_t mode = options_.mode ? static_cast<mode_t>(*options_.mode) : entry.status.st_mode;
    if (::fchmod(fd, mode & 07777) != 0) throw SystemError(errno, "chmod", place.shown);
    const int error = write_xattrs(fd, xattrs);
    if (error != 0 && error != ENOTSUP) throw SystemError(error, "set attributes of", place.shown);
    const struct timespec times[2] = {entry.status.st_mtim, entry.status.st_mtim};
    if (::futimens(fd, times) != 0) throw SystemError(errno, "set times of", place.shown);
  }

  void finish_special(const Place& place, const TreeEntry& entry) const {
    own(place, entry.status);
    if (!entry.is_link()) {
      const mode_t mode = options_.mode ? static_cast<mode_t>(*options_.mode) : entry.status.st_mode;
      if (::fchmodat(place.directory, place.name.c_str(), mode & 07777, 0) != 0)
        throw SystemError(errno, "chmod", place.shown);
    }
    const struct timespec times[2] = {entry.status.st_mtim, entry.status.st_mtim};
    if (::utimensat(place.directory, place.name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
      throw SystemError(errno, "set times of", place.shown);
  }

 private:
  const CopyOptions& options_;
};

class TreeCopy {
 public:
  TreeCopy(const Selection& selection, const RootedDir& target, const CopyOptions& options,
           const std::stop_token& stop)
      : selection_(selection), target_(target), options_(options), stop_(stop), metadata_(options) {}

  void run() {
    const std::vector<SelectedSource> sources = selected_sources(selection_);
    if (sources.size() > 1 && !dest_is_directory_name() && !is_directory(options_.dest))
      throw InvalidInput(concat("\"/", join(path_components(selection_.src), "/"), "\" names ",
                                sources.size(), " things, so the destination \"", options_.dest,
                                "\" must be a directory: end it with \"/\""));
    for (const SelectedSource& source : sources) copy_source(source);
    date_made_directories();
  }

 private:
  bool dest_is_directory_name() const {
    return options_.dest.empty() || options_.dest.ends_with('/') || options_.dest == "." ||
           options_.dest.ends_with("/.");
  }
  bool is_directory(const std::string& path) const {
    const auto status = target_.stat(path, /*follow=*/true);
    return status && S_ISDIR(status->st_mode);
  }

  UniqueFd make_parents(const std::string& path) {
    if (!options_.create_dest_path && !is_directory(path))
      throw InvalidInput(concat("the destination's directory \"/", path, "\" does not exist"));
    const RootedDir::NewDirectory how{.mode = 0755, .uid = options_.uid, .gid = options_.gid, .mtime = {}};
    std::string so_far;
    for (const std::string& part : path_components(path)) {
      so_far += concat("/", part);
      if (!target_.stat(so_far, /*follow=*/true)) made_.push_back(so_far);
    }
    try {
      return target_.make_directories(path, how);
    } catch (const SystemError& e) {
      if (e.error_number() != ENOTDIR) throw;
      throw InvalidInput(concat("the destination's directory \"/", path, "\": a part of it is no directory"));
    }
  }

  /// Last, because what was put into them has changed their times.
  void date_made_directories() const {
    if (!options_.made_mtime) return;
    const struct timespec time { .tv_sec = *options_.made_mtime, .tv_nsec = 0 };
    const struct timespec times[2] = {time, time};
    for (const std::string& path : made_) {
      const UniqueFd directory = target_.open(path, O_RDONLY | O_DIRECTORY);
      if (::futimens(directory.get(), times) != 0) throw SystemError(errno, "set times of", path);
    }
  }

  /// Where a source goes. The destination's links are followed within the target, but for the last component
  /// of a file's destination, which is replaced.
  std::string place_for(const SelectedSource& source, bool source_is_directory) const {
    std::string dest = real_path_in(target_, options_.dest, /*follow_last=*/false);
    const bool exists = is_directory(options_.dest);
    const bool into = source_is_directory
                          ? !selection_.copy_dir_contents && (exists || dest_is_directory_name())
                          : exists || dest_is_directory_name();
    if (into || source_is_directory) dest = real_path_in(target_, options_.dest, /*follow_last=*/true);
    const std::string_view name = base_name(source.named);
    if (into && !name.empty()) dest = dest.empty() ? std::string(name) : concat(dest, "/", name);
    return dest;
  }

  void copy_source(const SelectedSource& source) {
    const auto status = selection_.tree->stat(source.real, /*follow=*/false);
    if (!status) throw NotFound(concat("\"/", source.named, "\": not found"));
    const std::string dest = place_for(source, S_ISDIR(status->st_mode));
    const std::vector<std::string> parts = path_components(dest);
    const std::string parent = parts.empty() ? "" : join({parts.begin(), parts.end() - 1}, "/");
    stack_.clear();
    stack_.push_back({.fd = make_parents(parent), .path = parent});
    top_name_ = parts.empty() ? "." : parts.back();
    const TreeVisitor visitor{.enter = [this](const TreeEntry& entry) { return copy_entry(entry), true; },
                              .leave = [this](const TreeEntry& entry) { leave(entry); }};
    walk_source(selection_, source, visitor, stop_);
  }

  void copy_entry(const TreeEntry& entry) {
    const std::string name = entry.relative.empty() ? top_name_ : entry.name;
    const std::string& in = stack_.back().path;
    const Place place{.directory = stack_.back().fd.get(),
                      .name = name,
                      .shown = concat(in.empty() ? "" : "/", in, "/", name)};
    if (entry.is_directory()) {
      enter_directory(entry, place);
      return;
    }
    if (const auto existing = status_at(place)) {
      if (S_ISDIR(existing->st_mode))
        throw InvalidInput(concat("cannot copy ", entry.shown, " over the directory ", place.shown));
      if (::unlinkat(place.directory, place.name.c_str(), 0) != 0)
        throw SystemError(errno, "unlink", place.shown);
      forget_copy({existing->st_dev, existing->st_ino});
    }
    if (entry.is_file()) {
      copy_file(entry, place);
    } else {
      copy_special(entry, place);
    }
  }

  void enter_directory(const TreeEntry& entry, const Place& place) {
    Level level{.fd = UniqueFd(), .path = stack_.back().path};
    if (place.name != ".") level.path += (level.path.empty() ? "" : "/") + place.name;
    auto existing = target_.stat(level.path, /*follow=*/true);
    if (existing && !S_ISDIR(existing->st_mode))
      throw InvalidInput(concat("cannot copy the directory ", entry.shown, " over the file ", place.shown));
    if (!existing) {
      if (status_at(place))
        throw InvalidInput(
            concat("cannot copy the directory ", entry.shown, " over the dangling link ", place.shown));
      if (::mkdirat(place.directory, place.name.c_str(), 0700) != 0)
        throw SystemError(errno, "mkdir", place.shown);
    }
    // As BuildKit does: a destination that is already there keeps what it is; directories below become the
    // source's.
    level.takes_metadata = !existing || !entry.relative.empty();
    level.fd = target_.open(level.path, O_RDONLY | O_DIRECTORY);
    stack_.push_back(std::move(level));
  }

  void leave(const TreeEntry& entry) {
    const Level level = std::move(stack_.back());
    stack_.pop_back();
    if (!level.takes_metadata) return;
    const Place place{.directory = level.fd.get(), .name = ".", .shown = "/" + level.path};
    metadata_.finish(level.fd.get(), place, entry, read_kept_xattrs(entry.open().get(), entry.shown));
  }

  void copy_file(const TreeEntry& entry, const Place& place) {
    const Inode inode{entry.status.st_dev, entry.status.st_ino};
    if (entry.status.st_nlink > 1 && link_to_copy(inode, place)) return;
    const UniqueFd from = entry.open();
    struct stat status {};
    if (::fstat(from.get(), &status) != 0) throw SystemError(errno, "stat", entry.shown);
    if (!S_ISREG(status.st_mode)) throw InvalidInput(concat(entry.shown, " changed while it was copied"));
    const UniqueFd to{::openat(place.directory, place.name.c_str(),
                               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (!to) throw SystemError(errno, "create", place.shown);
    copy_bytes(from.get(), to.get(), static_cast<std::uint64_t>(status.st_size), place.shown, stop_);
    metadata_.finish(to.get(), place, entry, read_kept_xattrs(from.get(), entry.shown));
    if (entry.status.st_nlink > 1 && ::fstat(to.get(), &status) == 0) {
      const Inode copy{status.st_dev, status.st_ino};
      copied_[inode] = {.path = place.shown, .inode = copy};
      source_of_[copy] = inode;
    }
  }

  /// A copy has lost a name, maybe its last; its inode number may be another file's at once.
  void forget_copy(const Inode& copy) {
    const auto source = source_of_.find(copy);
    if (source == source_of_.end()) return;
    copied_.erase(source->second);
    source_of_.erase(source);
  }

  /// A second name of a file that was copied already becomes a second name of the copy, if that is still
  /// there.
  bool link_to_copy(const Inode& source, const Place& place) {
    const auto known = copied_.find(source);
    if (known == copied_.end()) return false;
    const auto status = target_.stat(known->second.path, /*follow=*/false);
    if (!status || Inode{status->st_dev, status->st_ino} != known->second.inode) return false;
    const RootedDir::Parent at = target_.open_parent(known->second.path);
    if (::linkat(at.directory.get(), at.name.c_str(), place.directory, place.name.c_str(), 0) == 0)
      return true;
    if (errno == EMLINK || errno == EXDEV || errno == EPERM) return false;
    throw SystemError(errno, "link", place.shown);
  }

  void copy_special(const TreeEntry& entry, const Place& place) {
    int result = 0;
    if (entry.is_link()) {
      const std::string target = link_target(entry.directory, entry.name, entry.shown);
      result = ::symlinkat(target.c_str(), place.directory, place.name.c_str());
    } else {
      result = ::mknodat(place.directory, place.name.c_str(), (entry.status.st_mode & S_IFMT) | 0600,
                         entry.status.st_rdev);
    }
    if (result != 0) throw SystemError(errno, entry.is_link() ? "symlink" : "mknod", place.shown);
    metadata_.finish_special(place, entry);
  }

  /// A directory of the target that is being filled.
  struct Level {
    UniqueFd fd;
    std::string path;
    bool takes_metadata = false;
  };
  struct Copied {
    std::string path;
    Inode inode;
  };

  const Selection& selection_;
  const RootedDir& target_;
  const CopyOptions& options_;
  const std::stop_token& stop_;
  MetadataCopy metadata_;
  std::vector<Level> stack_;
  std::string top_name_;
  std::vector<std::string> made_;     ///< directories on the way that were not there
  std::map<Inode, Copied> copied_;    ///< by the source's inode
  std::map<Inode, Inode> source_of_;  ///< by the copy's
};

}  // namespace

void copy_selection(const Selection& selection, const RootedDir& target, const CopyOptions& options,
                    std::stop_token stop) {
  TreeCopy(selection, target, options, stop).run();
}

}  // namespace slipway
