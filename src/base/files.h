#pragma once
// Reading and writing whole files; temporary directories. Everything throws SystemError.
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace slipway {

/// Throws SystemError (ENOENT when there is no such file). `limit` guards against absurd sizes: InvalidInput.
std::string read_file(const std::filesystem::path& path, std::size_t limit = std::size_t{1} << 30);
std::optional<std::string> read_file_if_exists(const std::filesystem::path& path);
std::string read_all(int fd, std::string_view name, std::size_t limit = std::size_t{1} << 30);
void write_all(int fd, std::string_view bytes, std::string_view name);

enum class Durability { None, Fsync };
/// Temp file beside the target, then rename: readers see the old bytes or the new ones, never a part.
void write_file_atomic(const std::filesystem::path& path, std::string_view bytes,
                       Durability durability = Durability::None, unsigned mode = 0644);

/// A file that takes the target's place when committed, and leaves nothing if it is not.
class TempFile {
 public:
  explicit TempFile(std::filesystem::path target, unsigned mode = 0644);
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;
  ~TempFile();
  int fd() const { return fd_.get(); }
  void commit(Durability durability = Durability::None);

 private:
  std::filesystem::path target_, temp_;
  UniqueFd fd_;
};

void fsync_fd(int fd, std::string_view name);
void fsync_directory(const std::filesystem::path& directory);

/// Opens with O_CLOEXEC added; throws SystemError.
UniqueFd open_file(const std::filesystem::path& path, int flags, unsigned mode = 0644);

/// Removes a tree, also one with directories that its owner may not enter. Does not follow symbolic links.
void remove_tree(const std::filesystem::path& path);

/// A directory that is removed with everything in it.
class TempDir {
 public:
  /// Made in `parent` (the system's temp directory if empty) as PREFIX-XXXXXX.
  explicit TempDir(const std::filesystem::path& parent = {}, std::string_view prefix = "slipway");
  TempDir(TempDir&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TempDir& operator=(TempDir&&) = delete;
  ~TempDir();
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace slipway
