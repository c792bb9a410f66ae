#pragma once
// Directories that outlive builds (RUN --mount=type=cache), shared by all processes on a store.
//
//   ROOT/cache-mounts/KEY/id        what the cache is called; KEY is that name's digest
//   ROOT/cache-mounts/KEY/lock      held while a copy is chosen or made
//   ROOT/cache-mounts/KEY/N         the N-th copy; a second one exists only because of Private users
//   ROOT/cache-mounts/KEY/N.moved   where the copy is while a step has it in its root
//   (base/moved_directory.h) ROOT/cache-mounts/KEY/N.lock    held by whoever uses the copy; its mtime is the
//   last use
//
// All locks are flock(2)'s: they die with their owner, so nothing is ever left locked. A copy that is there
// is whole: it is filled elsewhere and renamed into place. What is in it is no part of any layer, key or
// check of the store.
#include <filesystem>
#include <functional>
#include <set>
#include <stop_token>
#include <string>

#include "base/synchronized.h"
#include "base/unique_fd.h"

namespace slipway {

/// The use of one copy; it ends with this object.
class CacheLease {
 public:
  CacheLease(CacheLease&&) noexcept = default;
  CacheLease& operator=(CacheLease&&) = delete;
  ~CacheLease();
  const std::filesystem::path& path() const { return path_; }

 private:
  friend class CacheMounts;
  CacheLease(std::filesystem::path path, UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  std::filesystem::path path_;
  UniqueFd lock_;
};

enum class CacheUse {
  Shared,   ///< any number at once, all in the same directory
  Private,  ///< alone in it; who comes second gets another copy
  Locked,   ///< alone in it; who comes second waits
};

/// Thread-safe; safe with other processes on the same store.
class CacheMounts {
 public:
  /// `temp_directory` is on the same file system.
  CacheMounts(std::filesystem::path directory, std::filesystem::path temp_directory)
      : directory_(std::move(directory)), temp_(std::move(temp_directory)) {}

  struct Request {
    std::string name;  ///< equal names are one cache
    CacheUse use = CacheUse::Shared;
    /// Makes the directory "new" in the directory that it is given: what a copy starts as. If it makes none,
    /// or is empty: an empty directory of mode 0755.
    std::function<void(const std::filesystem::path&)> fill;
    /// Called once if somebody else must end first.
    std::function<void()> on_wait;
  };
  /// Only Locked users wait for users of a copy (a Shared one takes another copy where somebody is alone in
  /// the first); all wait while a copy is filled. Who takes several must do so in the order of their names,
  /// lest two wait for each other. Throws Cancelled, SystemError, and what `fill` throws.
  CacheLease acquire(const Request& request, std::stop_token stop);

  enum class Look { Done, InUse, Absent };
  /// Calls `look` with the first copy's directory if nobody uses it; who wants to meanwhile waits. Nothing
  /// is waited for here. Throws SystemError, and what `look` throws.
  Look look_at(const std::string& name, const std::function<void(const std::filesystem::path&)>& look);

  /// Names of directories of caches that were acquired here.
  std::set<std::string> used() const { return *used_.lock(); }
  /// Whether that cache was.
  bool has_used(const std::string& name) const;

  /// Takes copies back out of the roots of steps whose slipway was killed. Before those are removed. Throws
  /// SystemError.
  static void take_back(const std::filesystem::path& directory);

 private:
  std::filesystem::path directory_, temp_;
  mutable Synchronized<std::set<std::string>> used_;
};

}  // namespace slipway
