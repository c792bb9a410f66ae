#pragma once
// A store with snapshots and images made by hand. Nothing is mounted.
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "build/assemble.h"
#include "content/store_fixture.h"

namespace slipway::testing_support {

/// Sets the modification time of one file or directory.
inline void set_mtime(const std::filesystem::path& path, std::int64_t seconds) {
  const timespec times[2] = {{.tv_sec = seconds, .tv_nsec = 0}, {.tv_sec = seconds, .tv_nsec = 0}};
  if (::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
    throw SystemError(errno, "utimensat", path.native());
}

/// A snapshot with one file, NAME holding NAME, of the time 500.
inline SnapshotId plain_snapshot(Store& store, const std::optional<SnapshotId>& parent,
                                 const std::string& name, std::int64_t created) {
  ActiveSnapshot active = store.snapshots().prepare_unmounted(parent);
  write_text(active.upper() / name, name);
  set_mtime(active.upper() / name, 500);
  return store.snapshots().commit(std::move(active), created);
}

inline History layer_entry(const std::string& created_by) {
  return {.created = "", .created_by = created_by};
}
inline History empty_entry(const std::string& created_by) {
  return {.created = "", .created_by = created_by, .comment = "", .author = "", .empty_layer = true};
}

/// A lane without a base image.
inline dockerfile::LoweredLane lane_of(const std::string& platform, std::vector<History> history) {
  const Platform parsed = Platform::parse(platform);
  return {.platform = parsed, .result = {}, .config = {.platform = parsed, .history = std::move(history)}};
}

/// An image of one layer, with a file that says for which platform it is.
inline AssembledImage simple_image(Store& store, const std::string& platform,
                                   const std::string& content = "app") {
  std::string name = content + "." + platform;
  std::ranges::replace(name, '/', '-');
  const SnapshotId snapshot = plain_snapshot(store, {}, name, 1000);
  return assemble_image(store, lane_of(platform, {layer_entry("COPY")}), snapshot, {}, {});
}

/// Files by their path below `root`.
inline std::map<std::string, std::string> files_below(const std::filesystem::path& root) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root))
    if (entry.is_regular_file())
      files.emplace(entry.path().lexically_relative(root).native(), read_file(entry.path()));
  return files;
}

}  // namespace slipway::testing_support
