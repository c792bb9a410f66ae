#include "nodes/kept_twins.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>

#include "accel/accelerated_root_json.h"
#include "base/error.h"
#include "base/files.h"
#include "base/regular_file.h"
#include "base/strings.h"

namespace slipway {
namespace fs = std::filesystem;

namespace {

constexpr const char* kAnswer = "root.json";
constexpr std::size_t kMostAnswer = std::size_t{16} << 20;

/// Open and locked, if `path` is still that file then.
UniqueFd hold(const fs::path& path, int operation) {
  UniqueFd fd{::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW)};
  if (!fd || ::flock(fd.get(), operation | LOCK_NB) != 0) return {};
  struct stat held {
  }, there{};
  if (::fstat(fd.get(), &held) != 0 || ::stat(path.c_str(), &there) != 0 || held.st_ino != there.st_ino)
    return {};
  return fd;
}

/// A power cut must not leave programs or libraries that are cut short under their final name.
void sync_all(const fs::path& directory) {
  for (const auto& entry : fs::recursive_directory_iterator(directory))
    if (entry.is_regular_file() && !entry.is_symlink())
      fsync_fd(open_file(entry.path(), O_RDONLY).get(), entry.path().native());
    else if (entry.is_directory() && !entry.is_symlink())
      fsync_directory(entry.path());
  fsync_directory(directory);
}

std::string name_of(std::size_t pack) { return concat("pack ", pack); }

}  // namespace

std::optional<KeptRoot> KeptTwins::find(const Digest& key, const std::vector<fs::path>& packs) const {
  const fs::path place = directory_ / key.hex();
  UniqueFd held = hold(place / kAnswer, LOCK_SH);
  if (!held) return std::nullopt;
  try {
    AcceleratedRoot root =
        decode_accelerated_root(read_all(held.get(), (place / kAnswer).native(), kMostAnswer));
    for (fs::path& tree : root.trees) {
      if (tree == kCopies) {
        tree = place / kCopies;
        continue;
      }
      std::size_t i = 0;
      while (i < packs.size() && name_of(i) != tree.native()) ++i;
      if (i == packs.size()) return std::nullopt;
      tree = packs[i];
    }
    ::futimens(held.get(), nullptr);  // when it was last used
    return KeptRoot{.root = std::move(root), .hold = std::move(held)};
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::optional<KeptRoot> KeptTwins::keep(const Digest& key, AcceleratedRoot root,
                                        const std::vector<fs::path>& packs, const fs::path& work) const {
  const fs::path place = directory_ / key.hex();
  AcceleratedRoot named = root;
  for (std::size_t i = 0; i < root.trees.size(); ++i) {
    const auto known = std::ranges::find(packs, root.trees[i]);
    if (root.trees[i] == work / kCopies) {
      named.trees[i] = kCopies;
      root.trees[i] = place / kCopies;
    } else if (known != packs.end()) {
      named.trees[i] = name_of(static_cast<std::size_t>(known - packs.begin()));
    } else {
      return std::nullopt;
    }
  }
  fs::create_directories(directory_);
  share_copies(work / kCopies);
  write_file_atomic(work / kAnswer, encode(named));
  UniqueFd held = hold(work / kAnswer, LOCK_SH);
  sync_all(work);
  fs::permissions(work, fs::perms(0755));
  std::error_code taken;
  fs::rename(work, place, taken);
  if (taken || !held) return std::nullopt;
  fsync_directory(directory_);
  remove_oldest();
  return KeptRoot{.root = std::move(root), .hold = std::move(held)};
}

void KeptTwins::share_copies(const fs::path& copies) const {
  std::error_code gone;
  std::pair<fs::file_time_type, fs::path> latest{fs::file_time_type::min(), {}};
  for (const auto& entry : fs::directory_iterator(directory_, gone))
    if (const auto used = fs::last_write_time(entry.path() / kAnswer, gone); !gone)
      latest = std::max(latest, std::pair(used, entry.path()));
  if (latest.second.empty() || !fs::exists(copies)) return;
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(copies))
    if (entry.is_regular_file()) files.push_back(entry.path());
  for (const fs::path& file : files) {
    const fs::path other = latest.second / kCopies / file.lexically_relative(copies);
    fs::path link = file;
    link += ".link";
    if (read_regular_file_if_exists(other) != read_file(file)) continue;
    fs::create_hard_link(other, link, gone);
    if (!gone) fs::rename(link, file);
  }
}

void KeptTwins::remove_oldest() const {
  std::multimap<fs::file_time_type, fs::path> by_use;
  std::error_code gone;
  for (const auto& entry : fs::directory_iterator(directory_)) {
    const auto used = fs::last_write_time(entry.path() / kAnswer, gone);
    if (!gone) by_use.emplace(used, entry.path());
  }
  for (auto oldest = by_use.begin(); by_use.size() > most_ && oldest != by_use.end();) {
    if (const UniqueFd held = hold(oldest->second / kAnswer, LOCK_EX)) {
      // Whoever looks now finds nothing, or what it finds locked.
      fs::path goes = oldest->second;
      goes += ".gone";
      fs::rename(oldest->second, goes, gone);
      remove_tree(goes);
      oldest = by_use.erase(oldest);
    } else {
      ++oldest;
    }
  }
}

}  // namespace slipway
