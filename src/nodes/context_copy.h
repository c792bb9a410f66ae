#pragma once
// A step that is one copy from a context, and the last such copy that the store has whole: where little
// changed in between, that one is amended (content/copy_amend.h).
#include <optional>
#include <stop_token>
#include <vector>

#include "content/store.h"
#include "graph/graph.h"
#include "nodes/action_trees.h"
#include "nodes/local_contexts.h"
#include "nodes/vertex_result.h"

namespace slipway {

/// Not thread-safe.
class ContextCopy {
 public:
  /// Everything given must outlive it.
  ContextCopy(Store& store, LocalContexts& contexts, const Vertex& vertex, const FileOp& file,
              const std::vector<VertexResult>& inputs);

  /// The step's result, if an earlier copy could be amended; else it is to be run.
  std::optional<SnapshotId> amended(const std::stop_token& stop);

  /// Of a step that was run, before the commit: what it copied, so `how`, and what there was to copy then.
  void prepare_commit(ActionTrees& trees, const CopiedDirectory& how, const SelectionList& after);
  /// After the commit: the next copies look at this one.
  void committed(SnapshotId snapshot);

 private:
  Store& store_;
  LocalContexts& contexts_;
  const Vertex& vertex_;
  const CopyAction* copy_ = nullptr;  ///< null for a step that is something else
  std::optional<SnapshotId> base_;
  std::string context_;
  std::optional<Digest> key_;  ///< of the step without the content that it copies
  bool is_kept_ = false;
};

}  // namespace slipway
