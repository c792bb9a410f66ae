#pragma once
// A process's own directory in ROOT/tmp, and what dead processes left there. Private to this module.
//
// ROOT/tmp/XXXXXX/lock is held with flock(2) for as long as its process lives; slipway runs in a pid
// namespace of its own, so pids would say nothing. ROOT/lock is held for the moment in which such a directory
// is made or judged, so none is ever seen between mkdir and flock.
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "base/logger.h"
#include "base/unique_fd.h"

namespace slipway {

/// Holds ROOT/lock while it lives. Never across slow work: every start of slipway waits for it.
class StoreLock {
 public:
  explicit StoreLock(const std::filesystem::path& root);

 private:
  UniqueFd fd_;
};

/// Directories in ROOT/tmp whose processes are gone. The caller holds a StoreLock.
std::vector<std::filesystem::path> dead_sessions(const std::filesystem::path& root);
struct LivingSessions {
  std::set<std::string> names;
  bool all_take_leases = true;  ///< false: an older slipway runs, and does not say what it uses
};
/// The caller holds a StoreLock.
LivingSessions living_sessions(const std::filesystem::path& root);

class StoreSession {
 public:
  /// Makes the directory and moves those of the dead into it. The caller holds a StoreLock. Throws
  /// SystemError.
  StoreSession(const std::filesystem::path& root, Logger& logger);
  StoreSession(const StoreSession&) = delete;
  StoreSession& operator=(const StoreSession&) = delete;
  ~StoreSession();

  const std::filesystem::path& directory() const { return directory_; }
  std::string name() const { return directory_.filename().native(); }
  /// Some process did not end in order: there may be leftovers in other places too.
  bool found_dead() const { return !adopted_.empty(); }
  /// Removes what the dead left. Needs no lock: it is in our own directory.
  void clear_adopted();

 private:
  std::filesystem::path directory_;
  UniqueFd lock_;
  Logger& logger_;
  std::vector<std::filesystem::path> adopted_;
};

}  // namespace slipway
