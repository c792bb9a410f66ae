#pragma once
// COPY, WORKDIR and their kin: the actions of a FileOp, done to a mounted tree.
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "base/logger.h"
#include "base/rooted.h"
#include "content/patterns.h"
#include "content/tree.h"
#include "graph/ops.h"

namespace slipway {

/// The compiled patterns of a copy action. Throws InvalidInput for a bad one.
class CopyPatterns {
 public:
  explicit CopyPatterns(const CopyAction& copy)
      : copy_(copy), included_(copy.include), excluded_(copy.exclude) {}
  /// What the action selects in `tree`; valid as long as this and the action are.
  Selection select_in(const RootedDir& tree, const PatternMatcher* ignored) const;

 private:
  const CopyAction& copy_;
  PatternMatcher included_, excluded_;
};

/// The tree that an input of the op stands for, with the patterns that hide parts of it (null: none).
struct SourceTree {
  const RootedDir* tree = nullptr;
  const PatternMatcher* ignored = nullptr;
  bool is_roots = false;       ///< a context: whoever owns its files, they count as root's
  CopyListener listener = {};  ///< hears what a copy takes of it
};

/// Does `action` to `target`. `source(from)` gives the tree that a copy reads, kNoInput's being an empty one.
/// Directories made on the way get the current time. Owners that cannot be given are said to `logger`. Throws
/// NotFound for a missing source, InvalidInput (unknown user, a file where a directory must be), SystemError,
/// Cancelled. Returns what copy_selection() does.
std::optional<CopiedDirectory> apply_file_action(const FileAction& action, const RootedDir& target,
                                                 const std::function<SourceTree(int from)>& source,
                                                 Logger& logger, std::stop_token stop);

/// What a copy action says on how to copy; names of users are those of `target`. Throws InvalidInput.
CopyOptions copy_options(const CopyAction& action, const RootedDir& target, bool source_is_roots,
                         Logger& logger);

}  // namespace slipway
