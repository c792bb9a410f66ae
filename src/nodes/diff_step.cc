#include "nodes/diff_step.h"

#include "base/error.h"
#include "base/strings.h"
#include "content/snapshot_diff.h"

namespace slipway {

VertexResult run_diff_step(Store& store, const DiffOp& diff, const std::vector<VertexResult>& inputs,
                           std::stop_token stop) {
  for (const VertexResult& input : inputs)
    if (!input.context.empty())
      throw InvalidInput(concat("the local source \"", input.context, "\" cannot be compared as it is"));
  const SnapshotDiff made = diff_snapshots(store, snapshot_of(diff.lower, inputs),
                                           snapshot_of(diff.upper, inputs), now_seconds(), std::move(stop));
  return {.snapshot = made.tree, .context = {}, .twins = {}, .lasting = !made.deletes};
}

}  // namespace slipway
