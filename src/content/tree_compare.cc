#include "content/tree_compare.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <array>
#include <map>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"

namespace slipway {
namespace fs = std::filesystem;

namespace {

void collect(const fs::path& changes, std::set<std::string>& paths, const std::stop_token& stop) {
  // Whiteouts are there under the names of what was removed.
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(changes)) {
    if (stop.stop_requested()) throw Cancelled{};
    paths.insert(entry.path().lexically_relative(changes).native());
  }
}

std::optional<struct stat> status_of(const fs::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0) return status;
  if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
  throw SystemError(errno, "stat", path.native());
}

std::map<std::string, std::string> attributes_of(const fs::path& path) {
  std::map<std::string, std::string> attributes;
  std::string names(std::size_t{64} << 10, '\0'), value(std::size_t{64} << 10, '\0');
  const ssize_t size = ::llistxattr(path.c_str(), names.data(), names.size());
  if (size < 0 && errno != ENOTSUP) throw SystemError(errno, "list attributes of", path.native());
  for (const std::string& name :
       split(std::string_view(names).substr(0, size > 0 ? static_cast<std::size_t>(size) : 0), '\0')) {
    if (name.empty()) continue;
    const ssize_t length = ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
    if (length >= 0) attributes.emplace(name, value.substr(0, static_cast<std::size_t>(length)));
  }
  return attributes;
}

bool same_content(const fs::path& one, const fs::path& other, const std::stop_token& stop) {
  constexpr std::size_t kChunk = std::size_t{256} << 10;
  const UniqueFd files[] = {open_file(one, O_RDONLY | O_NOFOLLOW), open_file(other, O_RDONLY | O_NOFOLLOW)};
  std::array<std::string, 2> bytes{std::string(kChunk, '\0'), std::string(kChunk, '\0')};
  for (off_t at = 0;; at += static_cast<off_t>(kChunk)) {
    if (stop.stop_requested()) throw Cancelled{};
    ssize_t sizes[2];
    for (int i = 0; i < 2; ++i) {
      sizes[i] = ::pread(files[i].get(), bytes[static_cast<std::size_t>(i)].data(), kChunk, at);
      if (sizes[i] < 0) throw SystemError(errno, "read", (i == 0 ? one : other).native());
    }
    if (sizes[0] != sizes[1] || bytes[0].compare(0, static_cast<std::size_t>(sizes[0]), bytes[1], 0,
                                                 static_cast<std::size_t>(sizes[1])) != 0)
      return false;
    if (sizes[0] == 0) return true;
  }
}

/// What differs; empty: nothing.
std::string difference(const fs::path& one, const fs::path& other, const std::stop_token& stop) {
  const auto a = status_of(one), b = status_of(other);
  if (!a && !b) return "";
  if (!a || !b) return "there once only";
  if ((a->st_mode & S_IFMT) != (b->st_mode & S_IFMT)) return "kind";
  if (a->st_mode != b->st_mode) return "mode";
  if (a->st_uid != b->st_uid || a->st_gid != b->st_gid) return "owner";
  if (attributes_of(one) != attributes_of(other)) return "extended attributes";
  if (S_ISDIR(a->st_mode)) return "";
  if (a->st_nlink != b->st_nlink) return "hard links";
  if (S_ISCHR(a->st_mode) || S_ISBLK(a->st_mode)) return a->st_rdev == b->st_rdev ? "" : "device number";
  if (S_ISLNK(a->st_mode)) return fs::read_symlink(one) == fs::read_symlink(other) ? "" : "target";
  if (!S_ISREG(a->st_mode)) return "";
  if (a->st_size != b->st_size) return "size";
  return same_content(one, other, stop) ? "" : "content";
}

}  // namespace

std::vector<std::string> tree_differences(const ChangedTree& one, const ChangedTree& other, std::size_t most,
                                          const std::stop_token& stop) {
  std::set<std::string> paths;
  collect(one.changes, paths, stop);
  collect(other.changes, paths, stop);
  std::vector<std::string> out;
  for (const std::string& path : paths) {
    const std::string what = difference(one.root / path, other.root / path, stop);
    if (!what.empty()) out.push_back(concat("/", path, " (", what, ")"));
    if (out.size() == most) break;
  }
  return out;
}

}  // namespace slipway
