#pragma once
// The trees that the actions of one file operation change and read: inputs, and results of earlier actions.
#include <list>
#include <map>
#include <optional>
#include <vector>

#include "base/rooted.h"
#include "content/store.h"
#include "graph/ops.h"
#include "nodes/source_trees.h"
#include "nodes/vertex_result.h"

namespace slipway {

/// Actions that follow on one another change one tree, which becomes one snapshot. Only a result that is read
/// or changed more than once becomes a snapshot of its own in between. Not thread-safe. What it made and is
/// not the result, or stands below it, is gone when it is destroyed.
class ActionTrees {
 public:
  /// `op`, `inputs` and `sources` outlive this.
  ActionTrees(Store& store, const FileOp& op, const std::vector<VertexResult>& inputs, SourceTrees& sources);
  ~ActionTrees();
  ActionTrees(const ActionTrees&) = delete;
  ActionTrees& operator=(const ActionTrees&) = delete;

  /// The tree that action `index` changes; call once for each, in order. Throws InvalidInput for an action
  /// that stands on one which is not earlier.
  const RootedDir& target(std::size_t index);
  /// The tree that the action whose target() was asked for last reads.
  SourceTree source(int from);
  /// For the last action's tree: ActiveSnapshot::set_note().
  void set_note(std::string bytes);
  /// The result of the last action, which is committed. Nothing may be asked for afterwards.
  SnapshotId commit();

 private:
  /// A tree that is still being changed.
  struct Line {
    ActiveSnapshot active;
    std::optional<RootedDir> tree;  ///< closed before a commit: an open descriptor would keep the mount busy
    std::size_t last = 0;           ///< the action whose result it is
  };
  struct Frozen {
    SnapshotId snapshot;
    std::optional<MountedTree> view;
    std::optional<RootedDir> tree;
  };
  std::optional<std::size_t> earlier(int input) const;
  std::list<Line>::iterator line_of(std::size_t action);
  bool is_used_later(std::size_t action, std::size_t than) const;
  SnapshotId commit_line(std::list<Line>::iterator line);
  void freeze(std::size_t action);
  std::list<Line>::iterator last_line();

  Store& store_;
  const FileOp& op_;
  const std::vector<VertexResult>& inputs_;
  SourceTrees& sources_;
  std::size_t current_ = 0;
  std::list<Line> lines_;
  std::map<std::size_t, Frozen> frozen_;  ///< by action
  std::optional<SnapshotId> result_;
};

}  // namespace slipway
