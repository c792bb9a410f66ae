#include "nodes/source_trees.h"

#include <utility>

#include "base/strings.h"

namespace slipway {

SourceTrees::SourceTrees(Store& store, const LocalContexts& contexts, const std::vector<VertexResult>& inputs)
    : store_(store),
      contexts_(contexts),
      inputs_(inputs),
      empty_(store.temp_directory(), "empty"),
      nothing_(empty_.path()) {}

SourceTree SourceTrees::open(int input) {
  last_opened_ = "an empty tree";
  if (input < 0) return {.tree = &nothing_};
  const VertexResult& result = inputs_.at(static_cast<std::size_t>(input));
  if (!result.context.empty()) {
    const LocalContext& context = contexts_.at(result.context);
    last_opened_ = concat("the build context ", context.shown);
    return {.tree = &context.tree, .ignored = &context.ignored, .is_roots = true};
  }
  last_opened_ = "the file system of that stage or image";
  if (!result.snapshot) return {.tree = &nothing_};
  auto view = views_.find(input);
  if (view == views_.end()) {
    MountedTree mount = store_.snapshots().view(*result.snapshot);
    RootedDir tree(mount.path());
    view = views_.emplace(input, View{std::move(mount), std::move(tree)}).first;
  }
  return {.tree = &view->second.tree};
}

}  // namespace slipway
