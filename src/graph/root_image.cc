#include "graph/root_image.h"

#include <algorithm>

namespace slipway {
namespace {

int base_of(const FileAction& action) {
  return std::visit([](const auto& it) { return it.base; }, action);
}

/// The index of the input that is changed; kNoInput: none is.
int changed_input(const Op& op) {
  if (const auto* exec = std::get_if<ExecOp>(&op.what)) {
    const auto root = std::ranges::find(exec->mounts, "/", &Mount::dest);
    return root == exec->mounts.end() ? kNoInput : root->input;
  }
  if (const auto* file = std::get_if<FileOp>(&op.what)) {
    const int inputs = static_cast<int>(op.inputs.size());
    int at = inputs + static_cast<int>(file->actions.size()) - 1;
    while (at >= inputs) at = base_of(file->actions[static_cast<std::size_t>(at - inputs)]);
    return at;
  }
  return std::holds_alternative<MergeOp>(op.what) && !op.inputs.empty() ? 0 : kNoInput;
}

}  // namespace

std::vector<int> layer_inputs(const Op& op) {
  std::vector<int> inputs;
  if (std::holds_alternative<MergeOp>(op.what)) {
    for (std::size_t i = 0; i < op.inputs.size(); ++i) inputs.push_back(static_cast<int>(i));
  } else if (!std::holds_alternative<SourceOp>(op.what)) {
    const int changed = changed_input(op);
    if (changed >= 0 && static_cast<std::size_t>(changed) < op.inputs.size()) inputs.push_back(changed);
  }
  return inputs;
}

const Vertex* root_image(const Graph& graph, const Digest& vertex) {
  const Vertex* at = &graph.at(vertex);
  while (!std::holds_alternative<SourceOp>(at->op.what)) {
    const int input = changed_input(at->op);
    if (input < 0 || static_cast<std::size_t>(input) >= at->op.inputs.size()) return nullptr;
    at = &graph.at(at->op.inputs[static_cast<std::size_t>(input)].vertex);
  }
  return std::get<SourceOp>(at->op.what).identifier.starts_with("docker-image://") ? at : nullptr;
}

}  // namespace slipway
