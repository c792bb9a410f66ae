#pragma once
// How much disk things take: allocated blocks, as du(1) counts them, not lengths. Private to this module.
#include <cstdint>
#include <filesystem>
#include <set>
#include <stop_token>
#include <utility>

namespace slipway {

/// Counts a file with several names once, for the first of them that it meets, over all calls. What vanishes
/// meanwhile counts as nothing. Links are not followed.
class DiskUsage {
 public:
  explicit DiskUsage(std::stop_token stop) : stop_(std::move(stop)) {}
  /// With everything below it. Throws Cancelled, SystemError.
  std::uint64_t of_tree(const std::filesystem::path& path);
  /// Without what is in it.
  std::uint64_t of_itself(const std::filesystem::path& path);
  /// Without what is below directories in it.
  std::uint64_t of_entries(const std::filesystem::path& directory);

 private:
  std::uint64_t below(int parent, const char* name, int depth);
  std::stop_token stop_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> seen_;
};

}  // namespace slipway
