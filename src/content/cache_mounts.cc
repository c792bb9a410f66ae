#include "content/cache_mounts.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <optional>
#include <utility>

#include "base/digest.h"
#include "base/error.h"
#include "base/files.h"
#include "base/moved_directory.h"
#include "base/strings.h"
#include "content/space.h"

// Whatever is done to the locks of copies is done under the cache's own lock, so that two who look for a free
// copy never see each other's probing, and nobody sees a copy between being filled and being used. A wait
// gives that lock up and looks again after a while: flock(2) cannot wait for a lock and a stop request at
// once.
namespace slipway {
namespace fs = std::filesystem;
namespace {

constexpr std::chrono::milliseconds kFirstWait{5}, kLongestWait{100};
/// Choosing takes no time, filling a copy may: a wait of so many rounds is worth being said.
constexpr int kRoundsOfFilling = 5;

/// False if it is taken.
bool try_lock(const UniqueFd& fd, int how, const fs::path& path) {
  while (::flock(fd.get(), how | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) throw SystemError(errno, "flock", path.native());
  }
  return true;
}

UniqueFd open_lock(const fs::path& path) { return open_file(path, O_RDWR | O_CREAT, 0600); }

void make_directory(const fs::path& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST)
    throw with_space_left(SystemError(errno, "mkdir", path.native()), path.parent_path());
}

/// Ends with the object even where a child of another thread, forked but not yet executing, holds the
/// descriptor too.
void release(const UniqueFd& fd) { ::flock(fd.get(), LOCK_UN); }

class Pause {
 public:
  /// Throws Cancelled.
  void wait(const std::stop_token& stop) {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any nobody;
    nobody.wait_for(lock, stop, length_, [] { return false; });
    if (stop.stop_requested()) throw Cancelled{};
    length_ = std::min(length_ * 2, kLongestWait);
  }

 private:
  std::chrono::milliseconds length_ = kFirstWait;
};

/// The cache's own lock.
class Choosing {
 public:
  explicit Choosing(const fs::path& cache) : path_(cache / "lock"), fd_(open_lock(path_)) {}
  ~Choosing() { release(fd_); }
  Choosing(const Choosing&) = delete;
  Choosing& operator=(const Choosing&) = delete;
  bool try_begin() { return try_lock(fd_, LOCK_EX, path_); }
  void end() { release(fd_); }

 private:
  fs::path path_;
  UniqueFd fd_;
};

enum class CopyState { Free, Shared, Alone };

class Copies {
 public:
  explicit Copies(fs::path cache) : cache_(std::move(cache)) {}

  struct Found {
    std::size_t number;
    UniqueFd lock;
  };
  /// A copy, existing or to be made, with its lock held; nothing if the user must wait. Under the cache's
  /// lock.
  std::optional<Found> choose(CacheUse use) const {
    if (use == CacheUse::Locked) {
      UniqueFd lock = open_lock(lock_of(0));
      if (!try_lock(lock, LOCK_EX, lock_of(0))) return std::nullopt;
      return Found{0, std::move(lock)};
    }
    // Those who share must meet: one that is shared already comes before one that is free.
    if (use == CacheUse::Shared)
      for (std::size_t number = 0; is_there(number); ++number)
        if (UniqueFd lock = open_lock(lock_of(number)); state(lock, number) == CopyState::Shared)
          return take(std::move(lock), number, LOCK_SH);
    for (std::size_t number = 0;; ++number) {
      UniqueFd lock = open_lock(lock_of(number));
      if (state(lock, number) == CopyState::Free)
        return take(std::move(lock), number, use == CacheUse::Shared ? LOCK_SH : LOCK_EX);
    }
  }
  fs::path path_of(std::size_t number) const { return cache_ / std::to_string(number); }

 private:
  fs::path lock_of(std::size_t number) const { return cache_ / concat(number, ".lock"); }
  bool is_there(std::size_t number) const {
    std::error_code ignored;
    return fs::exists(lock_of(number), ignored);
  }
  CopyState state(const UniqueFd& lock, std::size_t number) const {
    if (try_lock(lock, LOCK_EX, lock_of(number))) return CopyState::Free;
    const bool shared = try_lock(lock, LOCK_SH, lock_of(number));
    if (shared) release(lock);
    return shared ? CopyState::Shared : CopyState::Alone;
  }
  std::optional<Found> take(UniqueFd lock, std::size_t number, int how) const {
    if (!try_lock(lock, how, lock_of(number))) return std::nullopt;
    return Found{number, std::move(lock)};
  }

  fs::path cache_;
};

void fill_copy(const CacheMounts::Request& request, const fs::path& copy, const fs::path& temp) {
  std::error_code ignored;
  if (fs::is_directory(copy, ignored) || undo_move(copy)) return;
  const TempDir parent(temp, "cache");
  const fs::path made = parent.path() / "new";
  if (request.fill) request.fill(parent.path());
  if (!fs::exists(fs::symlink_status(made, ignored))) {
    make_directory(made, 0755);
    if (::chmod(made.c_str(), 0755) != 0) throw SystemError(errno, "chmod", made.native());
  }
  if (std::rename(made.c_str(), copy.c_str()) != 0)
    throw with_space_left(SystemError(errno, "rename", copy.native()), temp);
}

}  // namespace

CacheLease::~CacheLease() {
  if (!lock_) return;
  ::futimens(lock_.get(), nullptr);
  release(lock_);
}

void CacheMounts::take_back(const fs::path& directory) {
  std::error_code ignored;
  for (const fs::directory_entry& cache : fs::directory_iterator(directory, ignored)) {
    for (const fs::directory_entry& entry : fs::directory_iterator(cache.path(), ignored)) {
      if (entry.path().extension() != ".moved") continue;
      const fs::path copy = cache.path() / entry.path().stem();
      const fs::path lock_path = copy.native() + ".lock";
      const UniqueFd lock = open_lock(lock_path);
      if (try_lock(lock, LOCK_EX, lock_path)) undo_move(copy);
      release(lock);
    }
  }
}

bool CacheMounts::has_used(const std::string& name) const {
  return used_.lock()->contains(std::string(Digest::of(name).hex()));
}

// The cache's own lock is kept all the time: whoever looked for a copy now would take this one for somebody's
// and begin another.
CacheMounts::Look CacheMounts::look_at(const std::string& name,
                                       const std::function<void(const fs::path&)>& look) {
  const fs::path cache = directory_ / Digest::of(name).hex();
  std::error_code ignored;
  if (!fs::exists(cache / "lock", ignored)) return Look::Absent;
  const Copies copies(cache);
  Choosing choosing(cache);
  if (!choosing.try_begin()) return Look::InUse;
  auto found = copies.choose(CacheUse::Locked);
  if (!found) return Look::InUse;
  const CacheLease lease(copies.path_of(found->number), std::move(found->lock));
  if (!fs::is_directory(lease.path(), ignored) && !undo_move(lease.path())) return Look::Absent;
  look(lease.path());
  return Look::Done;
}

CacheLease CacheMounts::acquire(const Request& request, std::stop_token stop) {
  const fs::path cache = directory_ / Digest::of(request.name).hex();
  make_directory(directory_, 0700);
  make_directory(cache, 0700);
  used_.lock()->insert(cache.filename().native());
  if (std::error_code ignored; !fs::exists(cache / "id", ignored))
    write_file_atomic(cache / "id", request.name + "\n", Durability::None, 0600);
  const Copies copies(cache);
  Choosing choosing(cache);
  Pause pause;
  bool said = false;
  for (int round = 0;; ++round, pause.wait(stop)) {
    if (stop.stop_requested()) throw Cancelled{};
    bool must_wait = round == kRoundsOfFilling;
    if (choosing.try_begin()) {
      if (auto found = copies.choose(request.use)) {
        fill_copy(request, copies.path_of(found->number), temp_);
        ::futimens(found->lock.get(), nullptr);
        return {copies.path_of(found->number), std::move(found->lock)};
      }
      choosing.end();
      must_wait = true;
    }
    if (must_wait && !std::exchange(said, true) && request.on_wait) request.on_wait();
  }
}

}  // namespace slipway
