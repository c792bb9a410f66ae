#include "content/archive_unpack.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "content/cpu_slots.h"
#include "content/file_bytes.h"
#include "content/kept_xattrs.h"
#include "content/layer_reader.h"
#include "content/overlay_marks.h"
#include "content/owner_view.h"
#include "content/tree_paths.h"

namespace slipway {
namespace {

/// Far beyond any archive; a bound on what a hostile one can make of inodes.
constexpr std::uint64_t kMostEntries = 10'000'000;

/// True of what an archive's names cause in the tree that they meet.
bool is_archives_fault(int error_number) {
  static constexpr std::array kErrors = {ENOENT, ENOTDIR, EISDIR,       ELOOP, EEXIST,
                                         EINVAL, EMLINK,  ENAMETOOLONG, EFBIG, EPERM};
  return std::ranges::find(kErrors, error_number) != kErrors.end();
}

class ArchiveTarget {
 public:
  ArchiveTarget(LayerReader& reader, const RootedDir& root, const UnpackOwner& owner)
      : reader_(reader), root_(root), owner_(owner) {}

  void add(const LayerEntry& entry) {
    const std::vector<std::string> parts = path_components(entry.name);
    if (parts.empty()) {
      // The root is the destination, which stays what it is.
      if (!S_ISDIR(entry.mode) || !entry.same_as.empty()) throw InvalidInput("the root must be a directory");
      return;
    }
    name_ = parts.back();
    path_ = join(parts, "/");
    if (name_.starts_with(".wh."))
      throw InvalidInput("in an image's layer, a name that begins with \".wh.\" deletes a file");
    open_parent(join({parts.begin(), parts.end() - 1}, "/"));
    const bool is_directory = S_ISDIR(entry.mode) && entry.same_as.empty();
    const bool merges = make_way(is_directory);
    if (!entry.same_as.empty()) {
      add_hard_link(entry);
    } else if (is_directory) {
      add_directory(entry, merges);
    } else if (S_ISREG(entry.mode)) {
      add_file(entry);
    } else {
      add_special(entry);
    }
  }

  /// Last: what was put into directories has changed their times.
  void date_directories() const {
    for (const auto& [path, time] : directories_) {
      const auto directory = root_.try_open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      const struct timespec times[2] = {time, time};
      if (directory && ::futimens(directory->get(), times) != 0)
        throw SystemError(errno, "set times of", "/" + path);
    }
  }

 private:
  [[noreturn]] void fail(std::string_view call) const { throw SystemError(errno, call, "/" + path_); }

  /// Links on the way lead somewhere within the root; nothing is made through one that leads nowhere.
  void open_parent(const std::string& path) {
    if (parent_ && parent_path_ == path) return;
    if (!root_.stat(path, /*follow=*/false))
      root_.make_directories(path, {.mode = 0755, .uid = {}, .gid = {}, .mtime = {}});
    parent_ = root_.open(path, O_RDONLY | O_DIRECTORY);
    parent_path_ = path;
  }

  /// True if a directory is there already and stays.
  bool make_way(bool for_directory) {
    struct stat status {};
    if (::fstatat(parent_.get(), name_.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno != ENOENT) fail("stat");
      return false;
    }
    if (!S_ISDIR(status.st_mode)) {
      if (::unlinkat(parent_.get(), name_.c_str(), 0) != 0) fail("unlink");
      return false;
    }
    if (for_directory) return true;
    remove_tree(std::filesystem::path(concat("/proc/self/fd/", parent_.get())) / name_);
    return false;
  }

  void add_directory(const LayerEntry& entry, bool merges) {
    if (!merges && ::mkdirat(parent_.get(), name_.c_str(), 0700) != 0) fail("mkdir");
    const UniqueFd directory = open_at(parent_.get(), name_, O_RDONLY | O_DIRECTORY, "/" + path_);
    finish(directory.get(), entry);
    directories_[path_] = time_of(entry);
  }

  void add_file(const LayerEntry& entry) {
    const UniqueFd file{
        ::openat(parent_.get(), name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (!file) fail("create");
    reader_.write_bytes(file.get());
    finish(file.get(), entry);
  }

  void add_special(const LayerEntry& entry) {
    int result = 0;
    if (S_ISLNK(entry.mode)) {
      result = ::symlinkat(entry.link.c_str(), parent_.get(), name_.c_str());
    } else if (S_ISFIFO(entry.mode) || S_ISCHR(entry.mode) || S_ISBLK(entry.mode)) {
      // overlayfs keeps its deletions as devices of this number, and no device has it.
      if (S_ISCHR(entry.mode) && entry.device == 0) throw InvalidInput("a character device 0/0 is no device");
      result = ::mknodat(parent_.get(), name_.c_str(), (entry.mode & S_IFMT) | 0600, entry.device);
      // No user namespace may make devices; docker leaves them out there, too.
      if (result != 0 && errno == EPERM && overlay_uses_user_xattr()) return;
    } else {
      return;  // a socket means nothing without its process
    }
    if (result != 0) fail("create");
    finish_special(entry);
  }

  /// docker gives the file what its last name in the archive says.
  void add_hard_link(const LayerEntry& entry) {
    const std::vector<std::string> parts = path_components(entry.same_as);
    if (parts.empty()) throw InvalidInput("a hard link to the root");
    const std::string existing = join(parts, "/");
    const auto status = root_.stat(existing, /*follow=*/false);
    if (!status) throw InvalidInput(concat("a hard link to \"", entry.same_as, "\", which does not exist"));
    if (S_ISDIR(status->st_mode))
      throw InvalidInput(concat("a hard link to the directory \"", entry.same_as, "\""));
    const RootedDir::Parent from = root_.open_parent(existing);
    if (::linkat(from.directory.get(), from.name.c_str(), parent_.get(), name_.c_str(), 0) != 0) fail("link");
    LayerEntry named = entry;
    named.mode = (status->st_mode & S_IFMT) | (entry.mode & 07777);
    if (S_ISLNK(status->st_mode))
      own(named);
    else
      finish_special(named);
  }

  void own(const LayerEntry& entry) {
    const uid_t uid = owner_.uid.value_or(static_cast<unsigned>(entry.uid));
    const gid_t gid = owner_.gid.value_or(static_cast<unsigned>(entry.gid));
    if (OwnerView().give(parent_.get(), name_.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW) == 0) return;
    // As copies do: the archive's owners may have no mapping here, one that was asked for must be had.
    if (owner_.uid || owner_.gid || (errno != EPERM && errno != EINVAL)) fail("chown");
  }

  /// chown comes first: it clears set-user-id bits and file capabilities.
  void finish(int fd, const LayerEntry& entry) {
    own(entry);
    if (::fchmod(fd, entry.mode & 07777) != 0) fail("chmod");
    if (const int error = write_xattrs(fd, entry.xattrs); error != 0 && error != ENOTSUP && error != EPERM)
      throw SystemError(error, "set attributes of", "/" + path_);
    const struct timespec times[2] = {time_of(entry), time_of(entry)};
    if (::futimens(fd, times) != 0) fail("set times of");
  }

  void finish_special(const LayerEntry& entry) {
    own(entry);
    if (!S_ISLNK(entry.mode) && ::fchmodat(parent_.get(), name_.c_str(), entry.mode & 07777, 0) != 0)
      fail("chmod");
    const struct timespec times[2] = {time_of(entry), time_of(entry)};
    if (::utimensat(parent_.get(), name_.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) fail("set times of");
  }

  static struct timespec time_of(const LayerEntry& entry) {
    return {.tv_sec = entry.mtime, .tv_nsec = entry.mtime_nanoseconds};
  }

  LayerReader& reader_;
  const RootedDir& root_;
  const UnpackOwner& owner_;
  std::map<std::string, struct timespec> directories_;
  std::string name_, path_;  ///< of the entry being made
  UniqueFd parent_;          ///< most entries lie beside the one before
  std::string parent_path_;
};

}  // namespace

bool is_archive(int fd, std::string_view name) {
  const LayerReader::Start start = LayerReader::start_of(fd);
  if (::lseek(fd, 0, SEEK_SET) != 0) throw SystemError(errno, "seek", name);
  if (start != LayerReader::Start::Damaged) return start == LayerReader::Start::Tar;
  static constexpr std::array kEndings = {".tgz", ".tbz", ".tbz2", ".txz", ".tzst"};
  return name.find(".tar.") != std::string_view::npos ||
         std::ranges::any_of(kEndings, [name](const char* ending) { return name.ends_with(ending); });
}

namespace {

void unpack_entries(int fd, const RootedDir& root, const UnpackOwner& owner, const std::string& archive,
                    const std::stop_token& stop) {
  LayerReader reader(fd, LayerReader::Filters::OfArchives, archive, stop);
  ArchiveTarget target(reader, root, owner);
  std::uint64_t count = 0;
  while (const LayerEntry* entry = reader.next()) {
    if (stop.stop_requested()) throw Cancelled{};
    if (++count > kMostEntries) throw InvalidInput(concat(archive, ": more than ", kMostEntries, " entries"));
    const std::string where = concat("entry \"", entry->name.substr(0, 200), "\"");
    try {
      target.add(*entry);
    } catch (InvalidInput& error) {
      const bool names_archive = error.message().starts_with(archive);
      error.add_context(names_archive ? where : concat(archive, ": ", where));
      throw;
    } catch (const SystemError& error) {
      if (!is_archives_fault(error.error_number())) throw;
      throw InvalidInput(concat(archive, ": ", where, ": ", error.message()));
    }
  }
  target.date_directories();
}

}  // namespace

void unpack_archive(int fd, const RootedDir& root, const UnpackOwner& owner, const std::string& shown,
                    std::stop_token stop) {
  run_in_cpu_slot([&] { unpack_entries(fd, root, owner, concat("the archive ", shown), stop); });
}

}  // namespace slipway
