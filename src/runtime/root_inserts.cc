#include "runtime/root_inserts.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <exception>

#include "base/error.h"
#include "base/files.h"
#include "base/moved_directory.h"
#include "base/strings.h"
#include "runtime/mount_stubs.h"

namespace slipway {
namespace fs = std::filesystem;
namespace {

bool same_time(const struct timespec& a, const struct timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

struct stat status_of(const UniqueFd& fd, const std::string& shown) {
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) throw SystemError(errno, "stat", shown);
  return status;
}

bool is_directory_at(int directory, const std::string& name) {
  struct stat status {};
  return ::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
}

// The step may have moved the file, or be gone with it: its bytes are not to be found anywhere.
void overwrite(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) throw SystemError(errno, "stat");
  constexpr std::array<char, 4096> zeros{};
  for (off_t at = 0; at < status.st_size;) {
    const auto rest = static_cast<std::size_t>(status.st_size - at);
    const ssize_t n = ::pwrite(fd, zeros.data(), std::min(rest, zeros.size()), at);
    if (n <= 0) throw SystemError(errno, "write");
    at += n;
  }
  if (::fsync(fd) != 0 || ::ftruncate(fd, 0) != 0) throw SystemError(errno, "truncate");
}

}  // namespace

RootInserts::RootInserts(const RootedDir& root, fs::path aside, Logger& logger)
    : root_(root), aside_(std::move(aside)), logger_(logger) {}

fs::path RootInserts::new_name_aside() { return aside_ / std::to_string(names_aside_++); }

std::size_t RootInserts::parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string shown = slash == 0 ? "/" : path.substr(0, slash);
  UniqueFd directory = root_.open(shown, O_RDONLY | O_DIRECTORY);
  const struct stat status = status_of(directory, shown);
  const auto [it, is_new] =
      parents_by_inode_.try_emplace(std::pair(status.st_dev, status.st_ino), parents_.size());
  if (is_new)
    parents_.push_back({.directory = std::move(directory),
                        .access = status.st_atim,
                        .modification = status.st_mtim,
                        .after = status.st_mtim});
  return it->second;
}

// Where our own changes end and those of the step begin.
void RootInserts::note_change(std::size_t parent) {
  parents_[parent].after = status_of(parents_[parent].directory, "a directory of the root").st_mtim;
}

void RootInserts::make_parents(const std::string& path) {
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string directory = path.substr(0, slash);
    const auto status = root_.stat(directory, /*follow=*/false);
    if (status && S_ISDIR(status->st_mode)) continue;
    if (status)
      throw InvalidInput(
          concat("cannot mount at ", path, ": ", directory, " in the image is not a directory"));
    const std::size_t parent = parent_of(directory);
    const std::string name = directory.substr(directory.rfind('/') + 1);
    const int in = parents_[parent].directory.get();
    Insert made{.kind = Kind::Directory, .parent = parent, .name = name, .shown = directory};
    if (::mkdirat(in, name.c_str(), 0755) != 0 || ::fchmodat(in, name.c_str(), 0755, 0) != 0 ||
        ::fstatat(in, name.c_str(), &made.made, AT_SYMLINK_NOFOLLOW) != 0)
      throw SystemError(errno, "mkdir", directory);
    inserts_.push_back(std::move(made));
    note_change(parent);
  }
}

RootInserts::Insert& RootInserts::begin(std::string_view place, Kind kind) {
  const std::string path = resolve_in_root(root_, place);
  if (path == "/") throw InvalidInput(concat("nothing can be mounted at ", place));
  make_parents(path);
  Insert insert{
      .kind = kind, .parent = parent_of(path), .name = path.substr(path.rfind('/') + 1), .shown = path};
  const int in = parents_[insert.parent].directory.get();
  const fs::path aside = new_name_aside();
  if (::renameat(in, insert.name.c_str(), AT_FDCWD, aside.c_str()) == 0) {
    insert.aside = aside;
  } else if (errno != ENOENT) {
    throw SystemError(errno, "move aside", path);
  }
  inserts_.push_back(std::move(insert));
  return inserts_.back();
}

void RootInserts::add_file(std::string_view place, std::string_view bytes, const FileOptions& options) {
  Insert& insert = begin(place, Kind::Thing);
  UniqueFd file{::openat(parents_[insert.parent].directory.get(), insert.name.c_str(),
                         O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
  if (!file) throw SystemError(errno, "create", insert.shown);
  write_all(file.get(), bytes, insert.shown);
  if (::fchown(file.get(), options.uid, options.gid) != 0) throw SystemError(errno, "chown", insert.shown);
  if (::fchmod(file.get(), options.mode & 07777) != 0) throw SystemError(errno, "chmod", insert.shown);
  if (options.secret) insert.secret = std::move(file);
  note_change(insert.parent);
}

std::string RootInserts::add_moved(std::string_view place, const fs::path& source) {
  return move_in(begin(place, Kind::Moved), source);
}

std::string RootInserts::add_lasting(std::string_view place, const fs::path& source, const fs::path& root) {
  Insert& insert = begin(place, Kind::Moved);
  insert.lasting = true;
  note_move(source, root, insert.shown);
  return move_in(insert, source);
}

std::string RootInserts::move_in(Insert& insert, const fs::path& source) {
  if (::renameat(AT_FDCWD, source.c_str(), parents_[insert.parent].directory.get(), insert.name.c_str()) != 0)
    throw SystemError(errno, concat("move ", source.native(), " to"), insert.shown);
  insert.source = source;
  note_change(insert.parent);
  return insert.shown;
}

void RootInserts::add_link(std::string_view place, const std::string& target) {
  Insert& insert = begin(place, Kind::Thing);
  if (::symlinkat(target.c_str(), parents_[insert.parent].directory.get(), insert.name.c_str()) != 0)
    throw SystemError(errno, "symlink", insert.shown);
  note_change(insert.parent);
}

std::string RootInserts::add_place(std::string_view place) { return begin(place, Kind::Thing).shown; }

void RootInserts::discard(const Insert& insert) {
  const int in = parents_[insert.parent].directory.get();
  if (!is_directory_at(in, insert.name)) {
    if (::unlinkat(in, insert.name.c_str(), 0) != 0 && errno != ENOENT)
      throw SystemError(errno, "remove", insert.shown);
    return;
  }
  const fs::path gone = new_name_aside();
  if (::renameat(in, insert.name.c_str(), AT_FDCWD, gone.c_str()) != 0)
    throw SystemError(errno, "remove", insert.shown);
  remove_tree(gone);
}

// The step may have removed the directory or put another one in its place: that is then the insert.
void RootInserts::move_back(const Insert& insert) {
  if (insert.source.empty()) return;  // it never came
  const int in = parents_[insert.parent].directory.get();
  if (::renameat(in, insert.name.c_str(), AT_FDCWD, insert.source.c_str()) != 0 && errno != ENOENT)
    throw SystemError(errno, "move back", insert.shown);
  if (insert.lasting) forget_move(insert.source);
}

void RootInserts::take_out(Insert& insert) {
  const int in = parents_[insert.parent].directory.get();
  if (insert.secret) overwrite(insert.secret.get());
  if (insert.kind == Kind::Directory) {
    struct stat now {};
    const bool as_made = ::fstatat(in, insert.name.c_str(), &now, AT_SYMLINK_NOFOLLOW) == 0 &&
                         now.st_ino == insert.made.st_ino && now.st_mode == insert.made.st_mode &&
                         now.st_uid == insert.made.st_uid && now.st_gid == insert.made.st_gid;
    if (as_made && ::unlinkat(in, insert.name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOTEMPTY &&
        errno != EEXIST)
      throw SystemError(errno, "remove", insert.shown);
    return;
  }
  if (insert.kind == Kind::Moved) {
    move_back(insert);
  } else {
    discard(insert);
  }
  // The directory itself may be gone, with all that the image had in it.
  if (!insert.aside.empty() && ::renameat(AT_FDCWD, insert.aside.c_str(), in, insert.name.c_str()) != 0 &&
      errno != ENOENT)
    throw SystemError(errno, "put back", insert.shown);
}

RootInserts::~RootInserts() {
  const auto guarded = [this](std::string_view what, const auto& action) {
    try {
      action();
    } catch (const std::exception& e) {
      logger_.log(LogLevel::Warning, concat(what, " in a step's root: ", e.what()));
    }
  };
  for (Parent& parent : parents_)
    guarded("times", [&, &directory = parent] {
      const struct stat now = status_of(directory.directory, "a directory");
      if (same_time(now.st_mtim, directory.after)) return;
      directory.access = now.st_atim;
      directory.modification = now.st_mtim;
    });
  for (auto insert = inserts_.rbegin(); insert != inserts_.rend(); ++insert)
    guarded(insert->shown, [&] { take_out(*insert); });
  for (const Parent& parent : parents_)
    guarded("times", [&, &directory = parent] {
      const struct timespec times[2] = {directory.access, directory.modification};
      if (::futimens(directory.directory.get(), times) != 0) throw SystemError(errno, "utimensat");
    });
}

}  // namespace slipway
