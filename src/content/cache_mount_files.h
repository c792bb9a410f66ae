#pragma once
// ROOT/cache-mounts as seen by those who measure and prune it. Private to this module.
#include <filesystem>
#include <string>
#include <vector>

namespace slipway {

struct CacheMountInfo {
  std::string key;   ///< the directory's name
  std::string name;  ///< what it is called
  std::int64_t last_used = 0;
  bool in_use = false;  ///< one of its copies
};

/// Throws SystemError.
std::vector<CacheMountInfo> list_cache_mounts(const std::filesystem::path& directory);

/// Moves the copies that nobody uses into `temp` and says where they are. Its names and locks stay: who waits
/// for a lock must get that file's. Throws SystemError.
std::vector<std::filesystem::path> take_unused_copies(const std::filesystem::path& cache,
                                                      const std::filesystem::path& temp);

}  // namespace slipway
