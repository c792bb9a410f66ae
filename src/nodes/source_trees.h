#pragma once
// The trees that a file operation reads.
#include <map>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/rooted.h"
#include "content/store.h"
#include "nodes/file_actions.h"
#include "nodes/local_contexts.h"
#include "nodes/vertex_result.h"

namespace slipway {

/// Trees are mounted when first read and for as long as this lives. Not thread-safe.
class SourceTrees {
 public:
  SourceTrees(Store& store, const LocalContexts& contexts, const std::vector<VertexResult>& inputs);

  SourceTree open(int input);
  /// Where the last read path was looked for, for messages.
  const std::string& last_opened() const { return last_opened_; }

 private:
  struct View {  // destroyed in reverse: the descriptor goes before the mount
    MountedTree mount;
    RootedDir tree;
  };
  Store& store_;
  const LocalContexts& contexts_;
  const std::vector<VertexResult>& inputs_;
  TempDir empty_;
  RootedDir nothing_;
  std::map<int, View> views_;
  std::string last_opened_;
};

}  // namespace slipway
