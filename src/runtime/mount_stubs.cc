#include "runtime/mount_stubs.h"

#include <limits.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <deque>

#include "base/error.h"
#include "base/strings.h"

namespace slipway {
namespace {

constexpr int kMaxLinks = 40;  // as the kernel (path_resolution(7))

bool same_time(const struct timespec& a, const struct timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

// A descriptor for futimens: a directory can be read by us even where its owner may not.
std::optional<struct stat> stat_directory(const RootedDir& root, const std::string& path) {
  return root.stat(path, false);
}

void set_times(const RootedDir& root, const std::string& path, const struct timespec& access,
               const struct timespec& modification) {
  const UniqueFd directory = root.open(path, O_RDONLY | O_DIRECTORY);
  const struct timespec times[2] = {access, modification};
  if (::futimens(directory.get(), times) != 0) throw SystemError(errno, "utimensat", path);
}

void prepend_parts(std::deque<std::string>& rest, std::string_view path) {
  std::vector<std::string> parts = split(path, '/');
  rest.insert(rest.begin(), parts.begin(), parts.end());
}

}  // namespace

std::string resolve_in_root(const RootedDir& root, std::string_view path) {
  std::deque<std::string> rest;
  prepend_parts(rest, path);
  std::string resolved;  // "" is the root
  int links = 0;
  while (!rest.empty()) {
    const std::string part = std::move(rest.front());
    rest.pop_front();
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      resolved.resize(resolved.empty() ? 0 : resolved.rfind('/'));
      continue;
    }
    const std::string next = resolved + "/" + part;
    const auto link = root.try_open(next, O_PATH | O_NOFOLLOW);
    struct stat status {};
    if (!link || ::fstat(link->get(), &status) != 0 || !S_ISLNK(status.st_mode)) {
      resolved = next;
      continue;
    }
    if (++links > kMaxLinks) throw InvalidInput(concat("too many symbolic links on the way to ", path));
    std::array<char, PATH_MAX> target{};
    const ssize_t length = ::readlinkat(link->get(), "", target.data(), target.size());
    if (length < 0) throw SystemError(errno, "readlink", next);
    const std::string_view text(target.data(), static_cast<std::size_t>(length));
    if (text.starts_with('/')) resolved.clear();
    prepend_parts(rest, text);
  }
  return resolved.empty() ? "/" : resolved;
}

std::string MountStubs::add(std::string_view path, Kind kind) {
  const std::string resolved = resolve_in_root(root_, path);
  std::string sofar;
  const std::vector<std::string> parts = split(std::string_view(resolved).substr(1), '/');
  for (std::size_t i = 0; i < parts.size() && !parts[i].empty(); ++i) {
    sofar += "/" + parts[i];
    const Kind wanted = i + 1 == parts.size() ? kind : Kind::Directory;
    const auto status = root_.stat(sofar, false);
    if (!status) {
      make(sofar, wanted);
    } else if (S_ISDIR(status->st_mode) != (wanted == Kind::Directory)) {
      throw InvalidInput(concat("cannot mount at ", path, ": ", sofar, " in the image is ",
                                wanted == Kind::Directory ? "not a directory" : "a directory"));
    }
  }
  return resolved;
}

void MountStubs::remember_times(const std::string& directory) {
  const auto status = stat_directory(root_, directory);
  if (!status) return;
  for (const Stub& stub : stubs_)
    if (stub.path == directory) return;  // one of ours, it will go
  const auto [it, is_new] = parents_.try_emplace(directory);
  if (is_new) it->second.before = {.access = status->st_atim, .modification = status->st_mtim};
}

void MountStubs::make(const std::string& path, Kind kind) {
  const std::string directory = parent_of(path);
  remember_times(directory);
  const auto [parent, name] = root_.open_parent(path);
  if (kind == Kind::Directory) {
    if (::mkdirat(parent.get(), name.c_str(), 0755) != 0) throw SystemError(errno, "mkdir", path);
  } else {
    const UniqueFd file{
        ::openat(parent.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644)};
    if (!file) throw SystemError(errno, "create", path);
  }
  struct stat made {};
  if (::fstatat(parent.get(), name.c_str(), &made, AT_SYMLINK_NOFOLLOW) != 0)
    throw SystemError(errno, "stat", path);
  stubs_.push_back({.path = path, .made = made});
  struct stat after {};
  if (const auto it = parents_.find(directory); it != parents_.end() && ::fstat(parent.get(), &after) == 0)
    it->second.after = after.st_mtim;
}

void MountStubs::remove(const Stub& stub) {
  const auto now = root_.stat(stub.path, false);
  if (!now || now->st_ino != stub.made.st_ino || now->st_mode != stub.made.st_mode ||
      now->st_uid != stub.made.st_uid || now->st_gid != stub.made.st_gid)
    return;  // the step put something of its own there
  const bool is_directory = S_ISDIR(now->st_mode);
  if (!is_directory &&
      (now->st_size != 0 || now->st_nlink != 1 || !same_time(now->st_mtim, stub.made.st_mtim)))
    return;
  const auto [parent, name] = root_.open_parent(stub.path);
  if (::unlinkat(parent.get(), name.c_str(), is_directory ? AT_REMOVEDIR : 0) != 0 && errno != ENOTEMPTY &&
      errno != EEXIST)
    throw SystemError(errno, "remove", stub.path);
}

MountStubs::~MountStubs() {
  const auto guarded = [this](const std::string& path, const auto& action) {
    try {
      action();
    } catch (const std::exception& e) {
      logger_.log(LogLevel::Warning, concat("mount point ", path, " of a step: ", e.what()));
    }
  };
  // A directory that the step itself changed keeps the time of that change; all others get their old one
  // back.
  std::map<std::string, Times> wanted;
  for (const auto& [path, parent] : parents_)
    guarded(path, [&, &directory = path, &times = parent] {
      const auto now = stat_directory(root_, directory);
      if (!now || !S_ISDIR(now->st_mode)) return;
      const bool untouched = same_time(now->st_mtim, times.after);
      wanted[directory] =
          untouched ? times.before : Times{.access = now->st_atim, .modification = now->st_mtim};
    });
  for (auto stub = stubs_.rbegin(); stub != stubs_.rend(); ++stub)
    guarded(stub->path, [&] { remove(*stub); });
  for (const auto& [path, times] : wanted)
    guarded(path, [&, &directory = path, &value = times] {
      set_times(root_, directory, value.access, value.modification);
    });
}

}  // namespace slipway
