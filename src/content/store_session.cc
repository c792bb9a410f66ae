#include "content/store_session.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "content/cache_mounts.h"
#include "content/overlay_mount.h"
#include "content/space.h"

namespace slipway {
namespace fs = std::filesystem;
namespace {

constexpr const char* kLockName = "lock";
// Only what bears this name in tmp/ is ours to judge and to remove.
constexpr std::string_view kSessionPrefix = "session-";
// Of those whose processes lease what they use; a name needs no space on a full disk.
constexpr std::string_view kLeasingPrefix = "session-leasing-";

/// False if another open file has the lock and `wait` is not asked for.
bool lock_exclusively(int fd, const fs::path& path, bool wait) {
  while (::flock(fd, wait ? LOCK_EX : LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) throw SystemError(errno, "flock", path.native());
  }
  return true;
}

bool is_alive(const fs::path& session) {
  const fs::path path = session / kLockName;
  const UniqueFd fd{::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC)};
  if (fd) return !lock_exclusively(fd.get(), path, false);
  // Made together with the directory, so without it somebody has begun to remove what was dead.
  if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return false;
  throw SystemError(errno, "open", path.native());
}

fs::path make_session_directory(const fs::path& root) {
  std::string pattern = (root / "tmp" / concat(kLeasingPrefix, "XXXXXX")).native();
  if (!::mkdtemp(pattern.data())) throw with_space_left(SystemError(errno, "mkdtemp", pattern), root);
  return pattern;
}

}  // namespace

StoreLock::StoreLock(const fs::path& root) : fd_(open_file(root / "lock", O_RDWR | O_CREAT, 0600)) {
  lock_exclusively(fd_.get(), root / "lock", true);
}

std::vector<fs::path> dead_sessions(const fs::path& root) {
  std::vector<fs::path> dead;
  for (const fs::directory_entry& entry : fs::directory_iterator(root / "tmp")) {
    const bool ours = entry.path().filename().native().starts_with(kSessionPrefix) && entry.is_directory() &&
                      !entry.is_symlink();
    if (ours && !is_alive(entry.path())) dead.push_back(entry.path());
  }
  return dead;
}

LivingSessions living_sessions(const fs::path& root) {
  LivingSessions living;
  for (const fs::directory_entry& entry : fs::directory_iterator(root / "tmp")) {
    const std::string name = entry.path().filename().native();
    if (!name.starts_with(kSessionPrefix) || entry.is_symlink() || !entry.is_directory()) continue;
    if (!is_alive(entry.path())) continue;
    living.names.insert(name);
    living.all_take_leases = living.all_take_leases && name.starts_with(kLeasingPrefix);
  }
  return living;
}

StoreSession::StoreSession(const fs::path& root, Logger& logger)
    : directory_(make_session_directory(root)), logger_(logger) {
  try {
    lock_ = open_file(directory_ / kLockName, O_RDWR | O_CREAT | O_EXCL, 0600);
    lock_exclusively(lock_.get(), directory_ / kLockName, true);
    const std::vector<fs::path> all_dead = dead_sessions(root);
    if (!all_dead.empty()) CacheMounts::take_back(root / "cache-mounts");
    for (const fs::path& dead : all_dead) {
      // Only where slipway ran without a mount namespace of its own do its mounts outlive it.
      const std::vector<fs::path> mounts = mounts_below(dead);
      for (auto mount = mounts.rbegin(); mount != mounts.rend(); ++mount) detach_mount(*mount);
      const fs::path adopted = directory_ / concat("dead-", adopted_.size());
      if (std::rename(dead.c_str(), adopted.c_str()) == 0) {
        adopted_.push_back(adopted);
      } else if (errno != ENOENT) {
        throw SystemError(errno, "rename", dead.native());
      }  // else it was ending, not dead: its lock goes just before the directory does
    }
  } catch (...) {
    ::unlink((directory_ / kLockName).c_str());  // unlocked or not: whoever finds the rest may remove it
    throw;
  }
}

void StoreSession::clear_adopted() {
  for (const fs::path& adopted : adopted_) {
    logger_.log(LogLevel::Debug, concat("removing what a killed slipway left: ", adopted.native()));
    remove_tree(adopted);
  }
  adopted_.clear();
}

StoreSession::~StoreSession() {
  try {
    for (const fs::directory_entry& entry : fs::directory_iterator(directory_))
      if (entry.path().filename() != kLockName) remove_tree(entry.path());
    // The lock goes last, so that nobody takes us for dead while we still work here.
    remove_tree(directory_);
  } catch (const std::exception& e) {
    logger_.log(LogLevel::Warning,
                concat("temporary files remain until the next start: ", std::string_view(e.what())));
  }
}

}  // namespace slipway
