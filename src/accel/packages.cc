#include "accel/packages.h"

#include <unistd.h>

#include <array>
#include <climits>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"

namespace slipway {

bool is_clean_path(std::string_view path) {
  if (path.size() < 2 || path.size() >= PATH_MAX || path.front() != '/' || path.back() == '/') return false;
  if (path.find('\0') != std::string_view::npos || path.find('\n') != std::string_view::npos) return false;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at + 1), path.size());
    const std::string_view part = path.substr(at + 1, end - at - 1);
    if (part.empty() || part == "." || part == "..") return false;
    at = end;
  }
  return true;
}

std::optional<std::string> read_regular(const RootedDir& root, std::string_view path, std::size_t limit,
                                        struct stat* status) {
  try {
    // Looked at before it is opened for reading: opening a device may do things.
    const auto at = root.try_open(path, O_PATH);
    struct stat found {};
    if (!at || ::fstat(at->get(), &found) != 0 || !S_ISREG(found.st_mode)) return std::nullopt;
    if (static_cast<std::uint64_t>(found.st_size) > limit) return std::nullopt;
    const auto fd = root.try_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    struct stat opened {};
    if (!fd || ::fstat(fd->get(), &opened) != 0 || !S_ISREG(opened.st_mode)) return std::nullopt;
    if (status) *status = opened;
    std::string bytes(static_cast<std::size_t>(opened.st_size), '\0');
    std::size_t used = 0;
    while (used < bytes.size()) {
      const ssize_t n = ::read(fd->get(), bytes.data() + used, bytes.size() - used);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return std::nullopt;  // it shrinks while it is read, or cannot be read
      used += static_cast<std::size_t>(n);
    }
    return bytes.size() > limit ? std::nullopt : std::optional(std::move(bytes));
  } catch (const SystemError&) {
    return std::nullopt;  // a loop of links, a directory that may not be searched
  }
}

MergedDirectories::MergedDirectories(const RootedDir& root) {
  static constexpr std::array<const char*, 7> kMerged = {"bin",   "sbin",   "lib",   "lib32",
                                                         "lib64", "libx32", "libo32"};
  for (const char* name : kMerged) {
    std::array<char, 256> link{};
    const ssize_t n = ::readlinkat(root.fd(), name, link.data(), link.size());
    if (n <= 0 || n == static_cast<ssize_t>(link.size())) continue;
    std::string_view target(link.data(), static_cast<std::size_t>(n));
    if (target.starts_with('/')) target.remove_prefix(1);
    if (target.starts_with("usr/") && is_clean_path(concat('/', target)))
      links_.emplace(name, std::string(target));
  }
}

std::string MergedDirectories::canonical(std::string_view path) const {
  const std::size_t slash = path.find('/', 1);
  if (slash != std::string_view::npos && path.front() == '/') {
    if (const auto link = links_.find(path.substr(1, slash - 1)); link != links_.end())
      return concat('/', link->second, path.substr(slash));
  }
  return std::string(path);
}

std::unique_ptr<PackageDatabase> PackageDatabase::open(const RootedDir& root, const Platform& platform) {
  if (auto dpkg = open_dpkg(root, platform)) return dpkg;
  return open_apk(root, platform);
}

void PackageDatabase::add(Entry entry) {
  std::string name = entry.package.name;
  if (ambiguous_.contains(name)) return;
  if (const auto [at, is_new] = entries_.try_emplace(name, std::move(entry)); !is_new) {
    entries_.erase(at);
    ambiguous_.emplace(std::move(name), true);
  }
}

const Package* PackageDatabase::package(std::string_view name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : &found->second.package;
}

const PackageDatabase::Files& PackageDatabase::files(std::string_view name) {
  static const Files kNone;
  const auto found = entries_.find(name);
  if (found == entries_.end()) return kNone;
  Entry& entry = found->second;
  if (!entry.files) entry.files = read_files(entry);
  return *entry.files;
}

std::optional<OwnedFile> PackageDatabase::file(std::string_view package, std::string_view path) {
  if (!is_clean_path(path)) return std::nullopt;
  const Files& owned = files(package);
  const auto found = owned.find(directories_.canonical(path));
  if (found == owned.end() || !found->second) return std::nullopt;
  OwnedFile file{.package = *this->package(package), .checksum = *found->second};
  if (!is_as_in_base(file, path)) return std::nullopt;
  return file;
}

bool PackageDatabase::is_as_in_base(const OwnedFile& file, std::string_view path) const {
  const Package* before = base_ ? base_->package(file.package.name) : nullptr;
  if (!before || before->version != file.package.version) return true;
  return base_->file(file.package.name, path) == file;
}

std::optional<OwnedFile> PackageDatabase::owner(std::string_view path) {
  const bool is_library = path.find(".so") != std::string_view::npos;
  // Libraries' packages first: their lists are short, and most questions are about libraries.
  for (const bool first : {true, false}) {
    for (const auto& [name, entry] : entries_) {
      const bool looks_like_one = name.starts_with("lib") || name.starts_with("zlib") || name == "musl";
      if ((looks_like_one == is_library) != first) continue;
      if (auto owned = file(name, path)) return owned;
    }
  }
  return std::nullopt;
}

DatabaseState DatabaseState::of(const RootedDir& root) {
  static constexpr std::array<const char*, 5> kFiles = {"/var/lib/dpkg/status", "/var/lib/dpkg/status.d",
                                                        "/var/lib/dpkg/diversions", "/lib/apk/db/installed",
                                                        "/usr/lib/apk/db/installed"};
  DatabaseState state;
  for (const char* path : kFiles) {
    std::optional<FileIdentity> identity;
    try {
      if (const auto status = root.stat(path, true)) identity = FileIdentity::of(*status);
    } catch (const SystemError&) {
      // As if it were not there, which is how the database's reader takes it.
    }
    state.files.push_back({.path = path, .identity = identity});
  }
  return state;
}

}  // namespace slipway
