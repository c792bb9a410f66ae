#pragma once
// A step that is one copy from a context, and the last such copy that the store has: what did not change in
// between is taken over (content/copy_reuse.h).
#include <optional>
#include <vector>

#include "content/copy_reuse.h"
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
  ContextCopy(Store& store, const LocalContexts& contexts, const Vertex& vertex, const FileOp& file,
              const std::vector<VertexResult>& inputs);

  /// Null for a step that is something else, or a store whose trees cannot be linked.
  CopyReuse* reuse() { return reuse_ ? &*reuse_ : nullptr; }
  /// After the actions, before the commit.
  void prepare_commit(ActionTrees& trees);
  /// After the commit: the next copy looks at this one.
  void committed(SnapshotId snapshot);

 private:
  Store& store_;
  std::optional<Digest> key_;  ///< of the step without the content that it copies
  std::optional<CopyReuse> reuse_;
  bool is_kept_ = false;
};

}  // namespace slipway
