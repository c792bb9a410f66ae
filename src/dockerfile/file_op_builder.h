#pragma once
// A FileOp while it is put together: inputs without repetitions, each action on what the one before it made.
#include <optional>
#include <utility>

#include "graph/ops.h"

namespace slipway::dockerfile {

class FileOpBuilder {
 public:
  /// `base` is the tree that is changed; nothing for an empty one.
  explicit FileOpBuilder(const std::optional<Digest>& base) : base_(input(base)) {}

  /// The index of a tree to read.
  int input(const std::optional<Digest>& tree) {
    if (!tree) return kNoInput;
    for (std::size_t i = 0; i < op_.inputs.size(); ++i)
      if (op_.inputs[i].vertex == *tree) return static_cast<int>(i);
    op_.inputs.push_back({*tree});
    return static_cast<int>(op_.inputs.size()) - 1;
  }

  void add(FileAction action) { file_.actions.push_back(std::move(action)); }

  Op op() && {
    int base = base_;
    for (std::size_t i = 0; i < file_.actions.size(); ++i) {
      std::visit([base](auto& action) { action.base = base; }, file_.actions[i]);
      base = static_cast<int>(op_.inputs.size() + i);
    }
    op_.what = std::move(file_);
    return std::move(op_);
  }

 private:
  Op op_;
  FileOp file_;
  int base_;
};

}  // namespace slipway::dockerfile
