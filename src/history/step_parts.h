#pragma once
// What a step is, as the named parts that people know: what its key covers besides its inputs.
#include <set>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "history/hider.h"
#include "history/record.h"

namespace slipway {

/// "run", "files", "merge", "diff", "source", or "context" for a local source.
std::string kind_of(const Op& op);

/// `args` are the names of the Dockerfile's ARGs: the rest of a step's variables are ENVs. Hidden parts have
/// what remains of their value.
std::vector<KeyPart> step_parts(const Op& op, const std::set<std::string>& args, const Hider& hider);

}  // namespace slipway
