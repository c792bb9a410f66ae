#pragma once
// What searches for native twins found, kept from build to build: a directory a search, with the answer and
// the copies that it made (siblings.h). Written once and renamed into place, never changed, since running
// steps execute what is in it; the least recently used go when nobody holds them. What is kept is only ever
// as good as its key: see native_twins.cc for what is in that.
#include <filesystem>
#include <optional>
#include <vector>

#include "accel/twin.h"
#include "base/digest.h"
#include "base/unique_fd.h"

namespace slipway {

struct KeptRoot {
  AcceleratedRoot root;
  UniqueFd hold;  ///< while it is open, the copies stay
};

/// Thread-safe, and safe with other processes.
class KeptTwins {
 public:
  explicit KeptTwins(std::filesystem::path directory, std::size_t most = 32)
      : directory_(std::move(directory)), most_(most) {}

  /// The answer of an earlier search. `packs` are where its packs' trees are now, in keep()'s order. Nothing
  /// if it is not kept, or damaged.
  std::optional<KeptRoot> find(const Digest& key, const std::vector<std::filesystem::path>& packs) const;

  /// Keeps `root`, whose trees are among `packs` or `work`/copies. Moves `work`, on this file system, away;
  /// nothing is moved if it is kept already by somebody else or a tree is none of those, and then nothing is
  /// returned. Throws SystemError.
  std::optional<KeptRoot> keep(const Digest& key, AcceleratedRoot root,
                               const std::vector<std::filesystem::path>& packs,
                               const std::filesystem::path& work) const;

  static constexpr const char* kCopies = "copies";

 private:
  /// Most roots of a build have the same twins: what the answer that was used last has too becomes another
  /// name of its file. Nobody writes to these files.
  void share_copies(const std::filesystem::path& copies) const;
  void remove_oldest() const;
  std::filesystem::path directory_;
  std::size_t most_;
};

}  // namespace slipway
