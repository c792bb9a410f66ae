#pragma once
// The records of builds on disk: files that appear whole or not at all, beside the store's database and not
// in it.
//
//   ROOT/history/TIME-ID.json     one build (record.h); TIME in milliseconds, so that names sort by time
//   ROOT/history/TIME-ID.lock     locked while it runs: a record that says "running" and is not, was killed
//   ROOT/history/manifests/NAME   the files of a selection, named by its digest; the time of its last use is
//   its mtime
//
// Only the owner may read them. The last 50 are kept, and the manifests that were used since the oldest of
// them.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "history/record.h"

namespace slipway {

/// Thread-safe; several processes may use one. Made when something is written.
class HistoryDirectory {
 public:
  static constexpr std::size_t kKept = 50;
  explicit HistoryDirectory(const std::filesystem::path& store_root)
      : directory_(store_root / "history"), logs_(store_root / "logs") {}

  struct Entry {
    std::string id;
    std::int64_t started_ms = 0;
  };
  /// Newest first.
  std::vector<Entry> entries() const;
  /// A build that no longer runs and did not end is "interrupted". Throws SystemError, InvalidInput.
  BuildRecord read(const Entry& entry) const;
  /// Those that can be read, newest first; `before`: only what is older than that. `unreadable` is told, in a
  /// line with the file's name, of each that is there and cannot.
  std::vector<BuildRecord> read_all(const Entry* before,
                                    const std::function<void(const std::string&)>& unreadable) const;
  /// "" is the last build, "^N" the Nth before it, else the beginning of an id. Throws NotFound, UsageError.
  Entry find(const std::string& which) const;

  /// As long as the descriptor is open the build runs. Throws SystemError.
  UniqueFd claim(const BuildRecord& record) const;
  /// Throws SystemError.
  void write(const BuildRecord& record) const;
  /// Removes what is too old. Errors are left for the next time.
  void prune() const noexcept;
  /// The record, and its logs. Throws UsageError if the build still runs.
  void remove(const Entry& entry) const;

  /// Keeps `text()` under the name; if it is there it is marked as used and `text` is not called.
  void keep_manifest(const std::string& name, const std::function<std::string()>& text) const;
  std::optional<std::string> manifest(const std::string& name) const;
  /// Where the logs of a build are; empty if it has none.
  std::filesystem::path logs_of(const BuildRecord& record) const;

 private:
  std::filesystem::path path_of(const std::string& id, std::int64_t started_ms, const char* ending) const;
  void make_directory(const std::filesystem::path& directory) const;
  bool runs(const Entry& entry) const;
  void remove_files(const Entry& entry) const noexcept;
  void sweep_manifests() const noexcept;

  std::filesystem::path directory_, logs_;
};

/// A new id: 12 hex digits.
std::string new_build_id();

}  // namespace slipway
