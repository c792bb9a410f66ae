#pragma once
// COPY, WORKDIR and their kin: the actions of a FileOp, done to a mounted tree.
#include <functional>
#include <stop_token>
#include <string>

#include "base/rooted.h"
#include "content/patterns.h"
#include "content/tree.h"
#include "graph/ops.h"

namespace slipway {

/// What a copy action selects in `tree`; `excluded` must outlive the selection.
Selection selection_of(const CopyAction& copy, const RootedDir& tree, const PatternMatcher* excluded);

/// The tree that an input of the op stands for, with the patterns that hide parts of it (null: none).
struct SourceTree {
  const RootedDir* tree = nullptr;
  const PatternMatcher* ignored = nullptr;
};

/// Applies `op` to `target`. `source(i)` gives input i, `source(kNoInput)` an empty tree. Directories made on
/// the way get the current time. Throws NotFound for a missing source, InvalidInput (unknown user, a file
/// where a directory must be), SystemError, Cancelled.
void apply_file_op(const FileOp& op, std::size_t input_count, const RootedDir& target,
                   const std::function<SourceTree(int input)>& source, std::stop_token stop);

}  // namespace slipway
