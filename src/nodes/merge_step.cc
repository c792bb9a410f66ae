#include "nodes/merge_step.h"

#include <string>

#include "base/error.h"
#include "base/strings.h"
#include "content/snapshot_merge.h"

namespace slipway {

VertexResult run_merge_step(Store& store, ProgressSink& progress, const Vertex& vertex,
                            const std::vector<VertexResult>& inputs, std::stop_token stop) {
  constexpr int kMostTold = 5;
  int told = 0;
  const auto tell = [&](const std::string& sentence) {
    if (++told > kMostTold) return;
    const std::string line =
        told < kMostTold ? concat("warning: ", sentence, ": with --link, the copy alone says what they are\n")
                         : std::string("warning: other directories have changed as well\n");
    progress.emit(StepLog{.id = vertex.digest.str(), .stream = 2, .bytes = line});
  };
  VertexResult result;
  for (const VertexResult& input : inputs) {
    if (!input.context.empty())
      throw InvalidInput(concat("the local source \"", input.context, "\" cannot be merged as it is"));
    if (!input.snapshot) continue;
    result.snapshot = merge_snapshot(store, result.snapshot, *input.snapshot, now_seconds(), tell, stop);
  }
  return result;
}

}  // namespace slipway
