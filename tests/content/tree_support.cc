#include "content/tree_support.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "content/kept_xattrs.h"
#include "content/overlay_marks.h"
#include "content/mount_environment.h"
#include "manifest/media_types.h"

namespace slipway::testing_support {
namespace fs = std::filesystem;
namespace {

void must(int result, std::string_view call, const fs::path& path) {
  if (result != 0) throw SystemError(errno, call, path.native());
}

}  // namespace

TreeMaker& TreeMaker::directory(const std::string& path, unsigned mode) {
  fs::create_directories(at(path));
  must(::chmod(at(path).c_str(), mode), "chmod", at(path));
  return *this;
}

TreeMaker& TreeMaker::file(const std::string& path, std::string_view text, unsigned mode) {
  fs::create_directories(at(path).parent_path());
  const UniqueFd fd = open_file(at(path), O_WRONLY | O_CREAT | O_TRUNC);
  write_all(fd.get(), text, path);
  must(::fchmod(fd.get(), mode), "chmod", at(path));
  return *this;
}

TreeMaker& TreeMaker::link(const std::string& path, const std::string& target) {
  fs::create_directories(at(path).parent_path());
  must(::symlink(target.c_str(), at(path).c_str()), "symlink", at(path));
  return *this;
}

TreeMaker& TreeMaker::hard_link(const std::string& path, const std::string& existing) {
  fs::create_directories(at(path).parent_path());
  must(::link(at(existing).c_str(), at(path).c_str()), "link", at(path));
  return *this;
}

TreeMaker& TreeMaker::fifo(const std::string& path, unsigned mode) {
  must(::mkfifo(at(path).c_str(), mode), "mkfifo", at(path));
  must(::chmod(at(path).c_str(), mode), "chmod", at(path));
  return *this;
}

TreeMaker& TreeMaker::socket(const std::string& path) {
  must(::mknod(at(path).c_str(), S_IFSOCK | 0755, 0), "mknod", at(path));
  return *this;
}

TreeMaker& TreeMaker::whiteout(const std::string& path) {
  fs::create_directories(at(path).parent_path());
  make_whiteout(AT_FDCWD, at(path).native(), path);
  return *this;
}

TreeMaker& TreeMaker::opaque(const std::string& directory_path) {
  fs::create_directories(at(directory_path));
  make_opaque(open_file(at(directory_path), O_RDONLY | O_DIRECTORY).get(), directory_path);
  return *this;
}

TreeMaker& TreeMaker::xattr(const std::string& path, const std::string& name, std::string_view value) {
  must(::lsetxattr(at(path).c_str(), name.c_str(), value.data(), value.size(), 0), "setxattr", at(path));
  return *this;
}

TreeMaker& TreeMaker::owner(const std::string& path, unsigned uid, unsigned gid) {
  must(::lchown(at(path).c_str(), uid, gid), "chown", at(path));
  return *this;
}

TreeMaker& TreeMaker::mtime(const std::string& path, std::int64_t seconds, long nanoseconds) {
  const struct timespec times[2] = {{.tv_sec = seconds, .tv_nsec = nanoseconds},
                                    {.tv_sec = seconds, .tv_nsec = nanoseconds}};
  must(::utimensat(AT_FDCWD, at(path).c_str(), times, AT_SYMLINK_NOFOLLOW), "utimensat", at(path));
  return *this;
}

TreeMaker& TreeMaker::all_mtimes(std::int64_t seconds) {
  std::vector<std::string> names = names_in(root_);
  std::ranges::reverse(names);
  for (const std::string& name : names)
    mtime(name.ends_with('/') ? name.substr(0, name.size() - 1) : name, seconds);
  return *this;
}

std::vector<std::string> names_in(const fs::path& root) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root)) {
    const bool directory = entry.is_directory() && !entry.is_symlink();
    names.push_back(entry.path().lexically_relative(root).native() + (directory ? "/" : ""));
  }
  std::ranges::sort(names);
  return names;
}

std::vector<std::string> describe_tree(const fs::path& root) {
  std::vector<std::string> lines;
  std::map<ino_t, std::string> first_names;
  for (std::string name : names_in(root)) {
    if (name.ends_with('/')) name.pop_back();
    const fs::path path = root / name;
    struct stat status {};
    must(::lstat(path.c_str(), &status), "stat", path);
    char head[100];
    std::snprintf(head, sizeof head, " %06o %u:%u @%lld", status.st_mode, status.st_uid, status.st_gid,
                  static_cast<long long>(status.st_mtim.tv_sec));
    std::string line = name + head;
    if (S_ISREG(status.st_mode))
      line += concat(" ", status.st_size, " bytes ", Digest::of(read_file(path)).short_hex());
    if (S_ISLNK(status.st_mode)) line += " -> " + fs::read_symlink(path).native();
    if (S_ISCHR(status.st_mode)) line += concat(" dev ", major(status.st_rdev), "/", minor(status.st_rdev));
    if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode))
      for (const auto& [key, value] : read_kept_xattrs(open_file(path, O_RDONLY).get(), name))
        line += concat(" ", key, "=", value);
    if (!S_ISDIR(status.st_mode) && status.st_nlink > 1)
      line += " is " + first_names.try_emplace(status.st_ino, name).first->second;
    if (S_ISDIR(status.st_mode) && is_opaque(path)) line += " opaque";
    lines.push_back(line);
  }
  return lines;
}

SnapshotId snapshot_with(Store& store, const std::optional<SnapshotId>& parent,
                         const std::function<void(TreeMaker&)>& make) {
  ActiveSnapshot active = store.snapshots().prepare_unmounted(parent);
  TreeMaker tree(active.upper());
  make(tree);
  return store.snapshots().commit(std::move(active), 1000);
}

std::string tar_of(const std::vector<LayerEntry>& entries) {
  std::string out;
  LayerTar tar([&out](std::string_view bytes) { out += bytes; }, {});
  for (const LayerEntry& entry : entries) {
    tar.add(entry);
    if (S_ISREG(entry.mode) && entry.same_as.empty()) tar.add_bytes(entry.name);
  }
  tar.close();
  return out;
}

LayerEntry file_entry(const std::string& name) {
  return {.name = name,
          .mode = S_IFREG | 0644,
          .mtime = 1000,
          .size = name.size(),
          .link = {},
          .same_as = {},
          .xattrs = {}};
}

LayerEntry directory_entry(const std::string& name, unsigned mode) {
  return {.name = name, .mode = S_IFDIR | mode, .mtime = 1000, .link = {}, .same_as = {}, .xattrs = {}};
}

LayerEntry link_entry(const std::string& name, const std::string& target) {
  return {.name = name, .mode = S_IFLNK | 0777, .mtime = 1000, .link = target, .same_as = {}, .xattrs = {}};
}

LayerEntry hard_link_entry(const std::string& name, const std::string& target) {
  return {.name = name, .mode = S_IFREG | 0644, .mtime = 1000, .link = {}, .same_as = target, .xattrs = {}};
}

Layer layer_with(Store& store, const std::string& blob, const std::string& tar) {
  const BlobInfo info = store.blobs().put(blob);
  return {.descriptor = {.media_type = std::string(media_type::kOciLayerGzip),
                         .digest = info.digest,
                         .size = info.size,
                         .platform = {},
                         .annotations = {},
                         .artifact_type = {}},
          .diff_id = Digest::of(tar)};
}

bool may_chown() {
  const TempDir directory(test_space(), "try");
  return ::lchown(directory.path().c_str(), 123456789, 42) == 0;
}

bool may_set_xattr(const char* name) {
  const TempDir directory(test_space(), "try");
  return ::lsetxattr(directory.path().c_str(), name, "y", 1, 0) == 0;
}

}  // namespace slipway::testing_support
