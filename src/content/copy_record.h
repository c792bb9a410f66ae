#pragma once
// What a copy took and where it put it, so that it can be said whether that is what a list told: a file may
// be another while it is copied, and what it was again when the copy ends.
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/rooted.h"
#include "content/selection_list.h"
#include "content/store.h"
#include "content/tree.h"

namespace slipway {

/// Of one copy_selection(), whose listener add() is. Not thread-safe.
class CopyRecord {
 public:
  void add(const TakenEntry& taken);

  /// Whether `target` now has what `before` listed. `after` was listed when all was copied and has the same
  /// digest; so only files that were touched in between are read again, in `target`, but not those that a
  /// later source of the same copy has replaced there. What was unpacked is not to be had again: it must not
  /// have been touched. Throws Cancelled, SystemError.
  bool is_of(const SelectionList& before, const SelectionList& after, const RootedDir& target,
             const std::stop_token& stop) const;

 private:
  struct Entry {
    std::string relative, place;
    unsigned mode = 0;
    dev_t device = 0;  ///< that the entry is, not that it is on
    bool has_more_names = false;
    FileDigests::Identity identity;
  };
  using FirstNames = std::vector<std::size_t>;

  static bool is_like(const Entry& taken, const SelectedFile& listed);
  std::optional<FirstNames> first_names(const SelectionList& before) const;
  static bool is_there(const Entry& taken, const SelectedFile& listed, const std::optional<Digest>& bytes,
                       const RootedDir& target, const std::stop_token& stop);

  std::vector<Entry> entries_;
};

}  // namespace slipway
