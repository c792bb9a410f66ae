#include "content/cache_mount_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <functional>

#include "base/files.h"
#include "base/regular_file.h"
#include "base/strings.h"
#include "content/snapshot_files.h"
#include "content/try_lock.h"

// As for users (cache_mounts.cc): what is done to the locks of copies is done under the cache's own lock, so
// nobody who looks for a free copy takes our probing for use.
namespace slipway {
namespace fs = std::filesystem;
namespace {

/// Calls `look` with each copy's path and lock file. False, and nothing is done, if somebody chooses one now.
bool for_each_copy(const fs::path& cache,
                   const std::function<void(const fs::path& copy, const fs::path& lock)>& look) {
  const auto choosing = try_lock_file(cache / "lock");
  if (!choosing) return false;
  for (const fs::directory_entry& entry : fs::directory_iterator(cache))
    if (entry.path().extension() == ".lock") look(cache / entry.path().stem(), entry.path());
  return true;
}

}  // namespace

std::vector<CacheMountInfo> list_cache_mounts(const fs::path& directory) {
  std::vector<CacheMountInfo> caches;
  std::error_code none;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, none)) {
    if (::access((entry.path() / "lock").c_str(), F_OK) != 0) continue;  // never used yet
    CacheMountInfo cache{.key = entry.path().filename().native(), .name = {}};
    cache.name = trim(read_regular_file_if_exists(entry.path() / "id").value_or(std::string()));
    bool any = false;
    const bool looked = for_each_copy(entry.path(), [&](const fs::path& copy, const fs::path& lock) {
      struct stat status {};
      if (::stat(lock.c_str(), &status) == 0)
        cache.last_used = std::max<std::int64_t>(cache.last_used, status.st_mtim.tv_sec);
      cache.in_use = cache.in_use || !try_lock_file(lock);
      any = any || ::access(copy.c_str(), F_OK) == 0;
    });
    cache.in_use = cache.in_use || !looked;
    if (any || cache.in_use) caches.push_back(std::move(cache));
  }
  return caches;
}

std::vector<fs::path> take_unused_copies(const fs::path& cache, const fs::path& temp) {
  std::vector<fs::path> taken;
  for_each_copy(cache, [&](const fs::path& copy, const fs::path& lock) {
    // One that is in the root of a killed step comes back when the next process starts.
    if (::access((copy.native() + ".moved").c_str(), F_OK) == 0) return;
    if (const auto alone = try_lock_file(lock)) taken.push_back(move_aside(copy, temp));
  });
  return taken;
}

}  // namespace slipway
