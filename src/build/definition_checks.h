#pragma once
// What slipway cannot do of what LLB can say, and what nobody should do. Operations come from strangers.
#include "graph/graph.h"

namespace slipway {

/// Throws InvalidInput in words that follow the operation's name.
void check_runnable(const Op& op);

/// Which output of `op` steps get; nothing if it makes none that they can use.
std::optional<int> usable_output(const Op& op);

/// Places of mounts as paths from the root; "" as the working directory's "/".
void settle_paths(ExecOp& exec);

}  // namespace slipway
