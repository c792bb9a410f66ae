#include "content/unpack_target.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "content/file_bytes.h"
#include "content/node_copy.h"
#include "content/owner_view.h"
#include "content/tree_paths.h"

namespace slipway {
namespace {

constexpr std::string_view kWhiteout = ".wh.";
constexpr std::string_view kAufs = ".wh..wh.";
constexpr std::string_view kOpaque = ".wh..wh..opq";

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::string beside(const std::string& directory, const std::string& name) {
  return directory.empty() ? name : concat(directory, "/", name);
}

LayerEntry entry_like(const std::string& name, struct stat status) {
  OwnerView().show(status);
  return {.name = name,
          .mode = status.st_mode,
          .uid = status.st_uid,
          .gid = status.st_gid,
          .mtime = status.st_mtim.tv_sec,
          .mtime_nanoseconds = status.st_mtim.tv_nsec,
          .link = {},
          .same_as = {},
          .xattrs = {}};
}

[[noreturn]] void bad_entry(const std::string& name, const std::string& why) {
  throw InvalidInput(concat("entry \"", name, "\": ", why));
}

}  // namespace

UnpackTarget::UnpackTarget(const std::filesystem::path& upper, LowerDirectory lower, Logger& logger,
                           std::string layer)
    : root_(upper), lower_(std::move(lower)), metadata_(logger, std::move(layer)) {}

void UnpackTarget::add(const LayerEntry& entry, const WriteBytes& write_bytes) {
  if (entry.name.empty()) {
    add_root(entry);
    return;
  }
  Place place{
      .directory = -1, .name = std::string(base_name(entry.name)), .directory_path = parent_of(entry.name)};
  place.directory = directory_for(place.directory_path);
  if (place.name.starts_with(kWhiteout)) {
    add_whiteout(place, entry.name);
    return;
  }
  if (entry.same_as == entry.name) bad_entry(entry.name, "a hard link to itself");
  const auto existing = status_at(place);
  const bool is_directory = S_ISDIR(entry.mode) && entry.same_as.empty();
  if (existing && !(is_directory && S_ISDIR(existing->st_mode)))
    remove_existing(place, entry.name, *existing);
  if (!entry.same_as.empty()) {
    add_hard_link(place, entry);
  } else if (is_directory) {
    add_directory(place, entry, existing);
  } else if (S_ISREG(entry.mode)) {
    add_file(place, entry, write_bytes);
  } else {
    add_special(place, entry);
  }
}

void UnpackTarget::finish() { metadata_.finish_directories(root_); }

// --- Directories
// -----------------------------------------------------------------------------------------------------

/// Opens the directory that an entry goes into, made if the layer did not name it. Links on the way are the
/// layer's own and lead somewhere within the root. Valid until the next call.
int UnpackTarget::directory_for(const std::string& path) {
  if (last_directory_ && last_directory_path_ == path) return last_directory_.get();
  UniqueFd directory{open_in_root(root_.fd(), path.empty() ? "." : path.c_str(), O_RDONLY | O_DIRECTORY, 0)};
  if (!directory) directory = make_directory_path(path);
  last_directory_ = std::move(directory);
  last_directory_path_ = path;
  return last_directory_.get();
}

UniqueFd UnpackTarget::make_directory_path(const std::string& path) {
  const std::string real = real_path_in(root_, path, /*follow_last=*/true);
  std::string so_far;
  for (const std::string& part : path_components(real)) {
    so_far = beside(so_far, part);
    const auto status = root_.stat(so_far, /*follow=*/false);
    if (status && S_ISDIR(status->st_mode)) continue;
    if (status && !is_whiteout(*status)) bad_entry(path, concat("\"", so_far, "\" is not a directory"));
    make_implicit_directory(so_far, status);
  }
  return root_.open(real, O_RDONLY | O_DIRECTORY);
}

/// A directory that the layer has something in without naming it: it is as it was below.
void UnpackTarget::make_implicit_directory(const std::string& path,
                                           const std::optional<struct stat>& whiteout) {
  const RootedDir::Parent parent = root_.open_parent(path);
  const Place place{
      .directory = parent.directory.get(), .name = parent.name, .directory_path = parent_of(path)};
  if (whiteout) remove_existing(place, path, *whiteout);
  const auto lower = whiteout ? std::nullopt : lower_directory(path).self();
  LayerEntry like{.name = path, .mode = S_IFDIR | 0755, .link = {}, .same_as = {}, .xattrs = {}};
  if (lower) {
    like = entry_like(path, lower->status);
    like.xattrs = read_kept_xattrs(open_file(lower->path, O_RDONLY | O_DIRECTORY).get(), path);
  }
  add_directory(place, like, whiteout);
}

std::optional<struct stat> UnpackTarget::status_at(const Place& place) const {
  struct stat status {};
  if (::fstatat(place.directory, place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) return status;
  if (errno == ENOENT) return std::nullopt;
  throw SystemError(errno, "stat", place.name);
}

void UnpackTarget::remove_existing(const Place& place, const std::string& path, const struct stat& status) {
  if (!S_ISDIR(status.st_mode)) {
    if (::unlinkat(place.directory, place.name.c_str(), 0) != 0)
      throw SystemError(errno, "unlink", "/" + path);
    return;
  }
  remove_tree(std::filesystem::path(concat("/proc/self/fd/", place.directory)) / place.name);
  metadata_.forget_directory(path);
}

void UnpackTarget::add_root(const LayerEntry& entry) {
  if (!S_ISDIR(entry.mode)) bad_entry("/", "the root must be a directory");
  metadata_.apply(directory_for(""), entry);
  metadata_.remember_directory("", entry);
}

void UnpackTarget::add_directory(const Place& place, const LayerEntry& entry,
                                 const std::optional<struct stat>& replaced) {
  const bool merges = replaced && S_ISDIR(replaced->st_mode);
  if (!merges && ::mkdirat(place.directory, place.name.c_str(), 0700) != 0)
    throw SystemError(errno, "mkdir", "/" + entry.name);
  const UniqueFd directory = open_at(place.directory, place.name, O_RDONLY | O_DIRECTORY, entry.name);
  metadata_.apply(directory.get(), entry);
  metadata_.remember_directory(entry.name, entry);
  // In the place of a deletion or a file of this same layer, it must not show again what is further down.
  if (replaced && !merges) make_opaque(directory.get(), entry.name);
}

// --- What overlayfs hides
// --------------------------------------------------------------------------------------------

void UnpackTarget::make_opaque(int directory, const std::string& path) {
  if (lower_.shows_nothing()) return;
  slipway::make_opaque(directory, "/" + path);
}

void UnpackTarget::add_whiteout(const Place& place, const std::string& path) {
  if (place.name == kOpaque && place.directory_path.empty()) {
    // overlayfs merges roots whatever their attributes say, so everything in it is deleted by name.
    for (const std::string& name : lower_.names()) hide(place, name);
  } else if (place.name == kOpaque) {
    make_opaque(place.directory, place.directory_path);
  } else if (!place.name.starts_with(
                 kAufs)) {  // that is the bookkeeping of aufs, where the format comes from
    const std::string name = place.name.substr(kWhiteout.size());
    if (name.empty() || name == "." || name == "..") bad_entry(path, "deletes no name");
    hide(place, name);
  }
}

void UnpackTarget::hide(const Place& marker, const std::string& name) {
  if (lower_.shows_nothing()) return;
  const std::string path = beside(marker.directory_path, name);
  const Place hidden{.directory = marker.directory, .name = name, .directory_path = marker.directory_path};
  // A deletion is about the layers below; what this layer itself has under the name stays.
  if (const auto existing = status_at(hidden)) {
    if (S_ISDIR(existing->st_mode))
      make_opaque(open_at(hidden.directory, hidden.name, O_RDONLY | O_DIRECTORY, path).get(), path);
    return;
  }
  make_whiteout(hidden.directory, hidden.name, "/" + path);
}

LowerDirectory UnpackTarget::lower_directory(const std::string& path) const {
  LowerDirectory directory = lower_;
  for (const std::string& part : path_components(path)) directory = directory.enter(part);
  return directory;
}

/// Whether this layer so far hides what the lower ones have at `path`.
bool UnpackTarget::hides_lower(const std::string& path) const {
  std::string so_far;
  for (const std::string& part : path_components(path)) {
    if (const auto directory = root_.try_open(so_far, O_RDONLY | O_DIRECTORY);
        directory && is_opaque(concat("/proc/self/fd/", directory->get(), "/.")))
      return true;
    so_far = beside(so_far, part);
    const auto status = root_.stat(so_far, /*follow=*/false);
    if (!status) return false;
    if (!S_ISDIR(status->st_mode)) return true;
  }
  return true;  // a directory of this layer; nobody asks for one
}

// --- Everything else
// -------------------------------------------------------------------------------------------------

void UnpackTarget::add_file(const Place& place, const LayerEntry& entry, const WriteBytes& write_bytes) {
  const UniqueFd file{::openat(place.directory, place.name.c_str(),
                               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
  if (!file) throw SystemError(errno, "create", "/" + entry.name);
  write_bytes(file.get());
  metadata_.apply(file.get(), entry);
}

void UnpackTarget::add_special(const Place& place, const LayerEntry& entry) {
  const char* name = place.name.c_str();
  int result = 0;
  if (S_ISLNK(entry.mode)) {
    if (entry.link.empty()) bad_entry(entry.name, "a symbolic link to nothing");
    result = ::symlinkat(entry.link.c_str(), place.directory, name);
  } else if (S_ISFIFO(entry.mode)) {
    result = ::mkfifoat(place.directory, name, 0600);
  } else if (S_ISCHR(entry.mode) || S_ISBLK(entry.mode)) {
    // A 0/0 character device would be taken for a deletion; no device has that number.
    if (S_ISCHR(entry.mode) && entry.device == makedev(0, 0))
      bad_entry(entry.name, "a character device 0/0 is no device");
    result = ::mknodat(place.directory, name, (entry.mode & S_IFMT) | 0600, entry.device);
    if (result != 0 && errno == EPERM) {
      metadata_.warn_device(entry.name);
      return;
    }
  } else {
    return;  // a socket means nothing without its process
  }
  if (result != 0) throw SystemError(errno, "create", "/" + entry.name);
  metadata_.apply_at(place.directory, place.name, entry);
}

void UnpackTarget::add_hard_link(const Place& place, const LayerEntry& entry) {
  const std::string directory = parent_of(entry.same_as);
  const std::string name(base_name(entry.same_as));
  const UniqueFd from{
      open_in_root(root_.fd(), directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY, 0)};
  struct stat status {};
  if (from && ::fstatat(from.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
      !is_whiteout(status)) {
    if (S_ISDIR(status.st_mode))
      bad_entry(entry.name, concat("a hard link to the directory \"", entry.same_as, "\""));
    if (::linkat(from.get(), name.c_str(), place.directory, place.name.c_str(), 0) != 0)
      throw SystemError(errno, "link", "/" + entry.name);
    return;
  }
  copy_from_lower(place, entry);
}

/// A link to a file of a lower layer, which some tools write, cannot be one here: layers are directories of
/// their own. overlayfs itself breaks such links when it copies a file up.
void UnpackTarget::copy_from_lower(const Place& place, const LayerEntry& entry) {
  const auto found =
      hides_lower(entry.same_as)
          ? std::nullopt
          : lower_directory(parent_of(entry.same_as)).find(std::string(base_name(entry.same_as)));
  if (!found) bad_entry(entry.name, concat("a hard link to \"", entry.same_as, "\", which does not exist"));
  LayerEntry copy = entry_like(entry.name, found->status);
  if (S_ISREG(found->status.st_mode)) {
    const UniqueFd from = open_own(AT_FDCWD, found->path.native(), O_RDONLY, entry.same_as);
    copy.xattrs = read_kept_xattrs(from.get(), entry.same_as);
    add_file(place, copy, [&](int fd) {
      copy_bytes(from.get(), fd, static_cast<std::uint64_t>(found->status.st_size), entry.name, {});
    });
  } else if (S_ISLNK(found->status.st_mode)) {
    copy.link = std::filesystem::read_symlink(found->path).native();
    add_special(place, copy);
  } else {
    bad_entry(entry.name, concat("a hard link to \"", entry.same_as, "\", which is no file"));
  }
}

}  // namespace slipway
