#include "content/snapshot_files.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "content/database.h"

namespace slipway {
namespace fs = std::filesystem;

const std::string& boot_id() {
  static const std::string id{
      trim(read_file_if_exists("/proc/sys/kernel/random/boot_id").value_or(std::string()))};
  return id;
}

std::vector<fs::path> snapshot_leftovers(const fs::path& directory, const std::vector<SnapshotId>& known) {
  std::vector<fs::path> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
    const auto number = parse_unsigned(entry.path().filename().native());
    std::error_code gone;
    if (!number || !fs::is_directory(entry.symlink_status(gone))) continue;  // not ours
    if (!std::binary_search(known.begin(), known.end(), SnapshotId{static_cast<std::int64_t>(*number)}))
      found.push_back(entry.path());
  }
  return found;
}

fs::path move_aside(const fs::path& directory, const fs::path& temp) {
  std::string place = (temp / "old-XXXXXX").native();
  if (!::mkdtemp(place.data())) throw SystemError(errno, "mkdtemp", place);
  int result = std::rename(directory.c_str(), place.c_str());
  if (result != 0 && errno == EISDIR)  // it is no directory itself, and cannot take the place of one
    result = std::rename(directory.c_str(), (fs::path(place) / directory.filename()).c_str());
  if (result != 0 && errno != ENOENT) throw SystemError(errno, "rename", directory.native());
  return place;
}

void clear_snapshot_leftovers(const fs::path& directory, const fs::path& temp, Database& database) {
  std::vector<fs::path> aside;
  database.with_snapshots_held([&](const std::vector<Database::SnapshotRow>& rows) {
    std::vector<SnapshotId> known;
    for (const Database::SnapshotRow& row : rows) known.push_back(row.id);
    for (const fs::path& leftover : snapshot_leftovers(directory, known))
      aside.push_back(move_aside(leftover, temp));
  });
  // Without the lock: large trees take their time.
  for (const fs::path& path : aside) remove_tree(path);
}

}  // namespace slipway
