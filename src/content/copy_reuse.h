#pragma once
// A copy of a context takes over from the copy before it what is the same: such a file becomes a second name
// of the earlier one instead of being read and written again. Snapshots never change, so nobody notices but
// who asks for the number of links.
#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "content/store.h"

namespace slipway {

/// Which files a copy made: of each a mark that stands for its place, bytes, owner, mode and time.
class CopiedFiles {
 public:
  /// The first 16 bytes of a SHA-256.
  using Mark = std::array<unsigned char, 16>;

  void add(const Mark& mark) { marks_.push_back(mark); }
  /// Nothing more is added afterwards.
  void sort();
  bool has(const Mark& mark) const;
  std::size_t size() const { return marks_.size(); }

  std::string bytes() const;
  /// Nothing if the file is not there, or not such a list.
  static std::optional<CopiedFiles> read(const std::filesystem::path& file);

 private:
  std::vector<Mark> marks_;
};

/// What was to be taken over cannot be: copy instead.
class ReuseLost : public SystemError {
 public:
  using SystemError::SystemError;
};

/// Files that a tree gets from an earlier one, by their paths in both, and the list of all that was copied.
struct ReusedFiles {
  std::filesystem::path from;
  std::vector<std::string> paths;
  CopiedFiles copied;
};

/// For one copy_selection() into a tree of its own. Not thread-safe.
class CopyReuse {
 public:
  struct Made {
    mode_t mode = 0;
    uid_t uid = 0;
    gid_t gid = 0;
    struct timespec mtime {};
  };

  /// `earlier` is what was copied into the snapshot whose changes are in `directory`.
  CopyReuse(FileDigests& digests, std::optional<CopiedFiles> earlier, std::filesystem::path directory)
      : digests_(digests), earlier_(std::move(earlier)) {
    files_.from = std::move(directory);
  }

  /// True: the earlier copy has at `path` just what copying `source` there would make, and copying is left to
  /// who commits the tree (ActiveSnapshot::link_at_commit).
  bool take(const std::string& path, const struct stat& source, const Made& made);
  ReusedFiles finish();

 private:
  FileDigests& digests_;
  const std::optional<CopiedFiles> earlier_;
  ReusedFiles files_;
};

}  // namespace slipway
