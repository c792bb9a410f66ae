#include "content/tree_compare.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "content/overlay_marks.h"

namespace slipway {
namespace fs = std::filesystem;

namespace {

/// What is below `root`/`directory` ("" is the root itself), as paths from the root. The names of directories
/// that are opaque go to `opaque`.
void collect(const fs::path& root, const std::string& directory, std::set<std::string>& paths,
             std::set<std::string>* opaque, const std::stop_token& stop) {
  // Whiteouts are there under the names of what was removed.
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root / directory)) {
    if (stop.stop_requested()) throw Cancelled{};
    std::string path = entry.path().lexically_relative(root).native();
    if (opaque && entry.symlink_status().type() == fs::file_type::directory && is_opaque(entry.path()))
      opaque->insert(path);
    paths.insert(std::move(path));
  }
}

/// An opaque directory hides what was there before without a name of it among the changes. Where only one of
/// the two is opaque, all that either shows there counts.
void collect_hidden(const ChangedTree& one, const ChangedTree& other,
                    const std::set<std::string>& directories, std::set<std::string>& paths,
                    const std::stop_token& stop) {
  for (const std::string& directory : directories)
    for (const ChangedTree* tree : {&one, &other})
      if (fs::is_directory(fs::symlink_status(tree->root / directory)))
        collect(tree->root, directory, paths, nullptr, stop);
}

/// For each name of a file with several the first of them that was asked about.
class FirstNames {
 public:
  const std::string& of(const std::string& path, const struct stat& status) {
    return first_.try_emplace({status.st_dev, status.st_ino}, path).first->second;
  }

 private:
  std::map<std::pair<dev_t, ino_t>, std::string> first_;
};

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

using Status = std::optional<struct stat>;

/// What differs; empty: nothing.
std::string difference(const fs::path& one, const Status& a, const fs::path& other, const Status& b,
                       const std::stop_token& stop) {
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
  std::set<std::string> paths, opaque_in_one, opaque_in_other, opaque_once;
  collect(one.changes, "", paths, &opaque_in_one, stop);
  collect(other.changes, "", paths, &opaque_in_other, stop);
  std::ranges::set_symmetric_difference(opaque_in_one, opaque_in_other,
                                        std::inserter(opaque_once, opaque_once.end()));
  collect_hidden(one, other, opaque_once, paths, stop);
  FirstNames names_in_one, names_in_other;
  std::vector<std::string> out;
  for (const std::string& path : paths) {
    const Status a = status_of(one.root / path), b = status_of(other.root / path);
    std::string what = difference(one.root / path, a, other.root / path, b, stop);
    // Both always: what a later name belongs to is told by the first.
    const std::string first = a ? names_in_one.of(path, *a) : "",
                      second = b ? names_in_other.of(path, *b) : "";
    if (what.empty() && a && !S_ISDIR(a->st_mode) && first != second) what = "hard links";
    if (!what.empty()) out.push_back(concat("/", path, " (", what, ")"));
    if (out.size() == most) break;
  }
  return out;
}

}  // namespace slipway
