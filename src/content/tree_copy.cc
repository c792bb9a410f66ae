#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <map>

#include "base/error.h"
#include "base/strings.h"
#include "content/archive_unpack.h"
#include "content/copy_metadata.h"
#include "content/file_bytes.h"
#include "content/kept_xattrs.h"
#include "content/tree.h"
#include "content/tree_paths.h"
#include "content/tree_walk.h"

namespace slipway {
namespace {

using Inode = std::pair<dev_t, ino_t>;

std::optional<struct stat> status_at(const CopyPlace& place) {
  struct stat status {};
  if (::fstatat(place.directory, place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) return status;
  if (errno == ENOENT) return std::nullopt;
  throw SystemError(errno, "stat", place.shown);
}

/// "/x/" and "/x/." mean a directory, there or not.
bool names_directory(std::string_view dest) {
  return dest.empty() || dest.ends_with('/') || dest == "." || dest.ends_with("/.");
}

std::string parent_path(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

class TreeCopy {
 public:
  TreeCopy(const Selection& selection, const RootedDir& target, const CopyOptions& options,
           const std::stop_token& stop, const CopyListener& listener)
      : selection_(selection),
        target_(target),
        options_(options),
        stop_(stop),
        listener_(listener),
        metadata_(options) {}

  std::optional<CopiedDirectory> run() {
    const std::vector<SelectedSource> sources = selected_sources(selection_);
    for (const SelectedSource& source : sources) copy_source(source);
    finish_made_directories();
    if (sources.size() != 1 || !directory_) return std::nullopt;
    directory_->entries = entries_;
    return directory_;
  }

 private:
  bool is_directory(const std::string& path) const {
    const auto status = target_.stat(path, /*follow=*/true);
    return status && S_ISDIR(status->st_mode);
  }

  UniqueFd make_directories(const std::string& path, RootedDir::NewDirectory how) {
    // Without links, also those that lead to nothing yet.
    const std::string real = real_path_in(target_, path, /*follow_last=*/true);
    std::string so_far;
    for (const std::string& part : path_components(real)) {
      so_far += concat("/", part);
      if (!target_.stat(so_far, /*follow=*/true)) made_.push_back({.path = so_far, .mode = how.mode});
    }
    how.mode |= kOpen;
    try {
      return target_.make_directories(real, how);
    } catch (const SystemError& e) {
      if (e.error_number() != ENOTDIR) throw;
      throw InvalidInput(concat("the destination's directory \"/", real, "\": a part of it is no directory"));
    }
  }

  void make_directories(const std::string& path) {
    // As BuildKit does, the mode is for these too, but for its upper bits.
    make_directories(
        path,
        {.mode = options_.mode.value_or(0755) & 0777, .uid = options_.uid, .gid = options_.gid, .mtime = {}});
  }

  /// Last, because what was put into them has changed their times, and only root puts things into a directory
  /// whatever its mode.
  void finish_made_directories() const {
    const struct timespec time { .tv_sec = options_.made_mtime.value_or(0), .tv_nsec = 0 };
    const struct timespec times[2] = {time, time};
    for (auto made = made_.rbegin(); made != made_.rend(); ++made) {
      const bool closed = (made->mode & kOpen) != kOpen;
      if (!closed && !options_.made_mtime) continue;
      const UniqueFd directory = target_.open(made->path, O_RDONLY | O_DIRECTORY);
      struct stat status {};
      if (::fstat(directory.get(), &status) != 0) throw SystemError(errno, "stat", made->path);
      // Unless what was copied has given it another mode meanwhile.
      if (closed && (status.st_mode & 07777) == (made->mode | kOpen) &&
          ::fchmod(directory.get(), made->mode) != 0)
        throw SystemError(errno, "chmod", made->path);
      if (options_.made_mtime && ::futimens(directory.get(), times) != 0)
        throw SystemError(errno, "set times of", made->path);
    }
  }

  /// Where a source goes, without links in what the destination names; the directory that it goes into is
  /// made.
  std::string place_for(const SelectedSource& source, bool source_is_directory) {
    const std::string parent = parent_path(real_path_in(target_, options_.dest, /*follow_last=*/true));
    if (!options_.create_dest_path && !is_directory(parent))
      throw InvalidInput(concat("the destination's directory \"/", parent, "\" does not exist"));
    if (names_directory(options_.dest)) make_directories(options_.dest);
    std::string dest = real_path_in(target_, options_.dest, /*follow_last=*/true);
    const auto existing = target_.stat(dest, /*follow=*/false);
    const bool contents = source_is_directory && selection_.copy_dir_contents;
    const bool into = source_is_directory ? !contents && existing : existing && S_ISDIR(existing->st_mode);
    const std::string_view name = base_name(source.named);
    if (into && !name.empty()) dest = dest.empty() ? std::string(name) : concat(dest, "/", name);
    make_directories(contents && !existing ? dest : parent_path(dest));
    return dest;
  }

  void copy_source(const SelectedSource& source) {
    const auto status = selection_.tree->stat(source.real, /*follow=*/false);
    if (!status) throw NotFound(concat("\"/", source.named, "\": not found"));
    if (options_.attempt_unpack && S_ISREG(status->st_mode) && unpack(source)) return;
    const std::string dest = place_for(source, S_ISDIR(status->st_mode));
    const std::vector<std::string> parts = path_components(dest);
    const std::string parent = parent_path(dest);
    stack_.clear();
    stack_.push_back({.fd = target_.open(parent, O_RDONLY | O_DIRECTORY), .path = parent});
    top_name_ = parts.empty() ? "." : parts.back();
    copied_.clear();
    const TreeVisitor visitor{.enter = [this](const TreeEntry& entry) { return copy_entry(entry), true; },
                              .leave = [this](const TreeEntry& entry) { leave(entry); }};
    walk_source(selection_, source, visitor, stop_);
  }

  bool unpack(const SelectedSource& source) {
    const UniqueFd file = selection_.tree->open(source.real, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) throw SystemError(errno, "stat", source.named);
    if (!is_archive(file.get(), source.named)) return false;
    if (listener_) listener_({.relative = "", .status = status, .place = ""});
    const RootedDir::NewDirectory how{.mode = 0755, .uid = options_.uid, .gid = options_.gid, .mtime = {}};
    const RootedDir into(make_directories(options_.dest, how), "");
    unpack_archive(file.get(), into, {.uid = options_.uid, .gid = options_.gid}, "/" + source.named, stop_);
    return true;
  }

  void copy_entry(const TreeEntry& entry) {
    ++entries_;
    const std::string name = entry.relative.empty() ? top_name_ : entry.name;
    const std::string& in = stack_.back().path;
    const CopyPlace place{.directory = stack_.back().fd.get(),
                          .name = name,
                          .shown = concat(in.empty() ? "" : "/", in, "/", name)};
    if (options_.for_layer && name.starts_with(".wh.")) refuse_whiteout_name(place.shown);
    if (listener_) listener_({.relative = entry.relative, .status = entry.status, .place = place.shown});
    if (entry.is_directory()) {
      enter_directory(entry, place);
      return;
    }
    const Level& level = stack_.back();
    if (const auto existing = level.is_new ? std::nullopt : status_at(place)) {
      if (S_ISDIR(existing->st_mode))
        throw InvalidInput(concat("cannot copy ", entry.shown, " over the directory ", place.shown));
      if (::unlinkat(place.directory, place.name.c_str(), 0) != 0)
        throw SystemError(errno, "unlink", place.shown);
    }
    if (entry.is_file()) {
      copy_file(entry, place);
    } else {
      copy_special(entry, place);
    }
  }

  [[noreturn]] static void refuse_whiteout_name(const std::string& shown) {
    InvalidInput error(concat("cannot copy to ", shown,
                              ": in an image's layer, a name that begins with \".wh.\" deletes a file"));
    error.set_hint("leave it out with .dockerignore or --exclude, or rename it");
    throw error;
  }

  void enter_directory(const TreeEntry& entry, const CopyPlace& place) {
    Level level{.fd = UniqueFd(), .path = stack_.back().path};
    if (place.name != ".") level.path += (level.path.empty() ? "" : "/") + place.name;
    const auto existing = stack_.back().is_new ? std::nullopt : status_at(place);
    level.is_new = !existing;
    if (entry.relative.empty())
      directory_ = {.place = level.path, .is_new = level.is_new, .options = options_};
    if (existing && !S_ISDIR(existing->st_mode)) {
      InvalidInput error(concat("cannot copy the directory ", entry.shown, " over the ",
                                S_ISLNK(existing->st_mode) ? "link " : "file ", place.shown));
      if (S_ISLNK(existing->st_mode))
        error.set_hint("copy what is in it to the directory that the link names");
      throw error;
    }
    if (!existing && ::mkdirat(place.directory, place.name.c_str(), 0700) != 0)
      throw SystemError(errno, "mkdir", place.shown);
    if (!existing)
      level.takes = Takes::All;
    else if (entry.relative.empty())
      level.takes = Takes::Times;
    else
      level.takes = entry.only_on_the_way ? Takes::Mode : Takes::All;
    level.fd = open_at(place.directory, place.name, O_RDONLY | O_DIRECTORY, place.shown);
    stack_.push_back(std::move(level));
  }

  void leave(const TreeEntry& entry) {
    const Level level = std::move(stack_.back());
    stack_.pop_back();
    const int fd = level.fd.get();
    const CopyPlace place{.directory = fd, .name = ".", .shown = "/" + level.path};
    switch (level.takes) {
      case Takes::Times:
        return metadata_.take_times(fd, place, entry);
      case Takes::Mode:
        return CopyMetadata::take_mode(fd, place, entry);
      case Takes::All:
        return metadata_.finish(fd, place, entry, xattrs_of(entry.open().get(), entry));
    }
  }

  /// Those of the caller's own files say what they are on this machine, labels of SELinux among them.
  Xattrs xattrs_of(int fd, const TreeEntry& entry) const {
    return options_.source_is_roots ? Xattrs{} : read_kept_xattrs(fd, entry.shown);
  }

  void copy_file(const TreeEntry& entry, const CopyPlace& place) {
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
    metadata_.finish(to.get(), place, entry, xattrs_of(from.get(), entry));
    if (entry.status.st_nlink > 1) copied_[inode] = place.shown;
  }

  /// A second name of a file that was copied already becomes a second name of the copy.
  bool link_to_copy(const Inode& source, const CopyPlace& place) {
    const auto known = copied_.find(source);
    if (known == copied_.end()) return false;
    const RootedDir::Parent at = target_.open_parent(known->second);
    if (::linkat(at.directory.get(), at.name.c_str(), place.directory, place.name.c_str(), 0) == 0)
      return true;
    if (errno == EMLINK || errno == EXDEV || errno == EPERM) return false;
    throw SystemError(errno, "link", place.shown);
  }

  void copy_special(const TreeEntry& entry, const CopyPlace& place) {
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

  /// What a directory of the target becomes of the source's once it is filled.
  enum class Takes { Times, Mode, All };
  struct Level {
    UniqueFd fd;
    std::string path;
    Takes takes = Takes::Times;
    bool is_new = false;  ///< made just now: nothing is in it but what this copy puts there
  };

  /// A directory on the way that was not there, and the mode it is to have.
  struct Made {
    std::string path;
    unsigned mode = 0;
  };
  static constexpr unsigned kOpen = 0700;

  const Selection& selection_;
  const RootedDir& target_;
  const CopyOptions& options_;
  const std::stop_token& stop_;
  const CopyListener& listener_;
  CopyMetadata metadata_;
  std::size_t entries_ = 0;
  std::optional<CopiedDirectory> directory_;  ///< the last source that was one
  std::vector<Level> stack_;
  std::string top_name_;
  std::vector<Made> made_;
  std::map<Inode, std::string>
      copied_;  ///< places of what has more names, by the source's inode; of one source
};

}  // namespace

std::optional<CopiedDirectory> copy_selection(const Selection& selection, const RootedDir& target,
                                              const CopyOptions& options, std::stop_token stop,
                                              const CopyListener& listener) {
  return TreeCopy(selection, target, options, stop, listener).run();
}

}  // namespace slipway
