#pragma once
// From what is asked to a graph: of a Dockerfile, or of a definition that is given in its place.
#include <stop_token>
#include <vector>

#include "base/progress.h"
#include "build/build_inputs.h"
#include "dockerfile/lower.h"

namespace slipway {

/// `inputs` are loaded. Base images are resolved, not yet fetched. What the checks find is told as events.
/// Throws as lower_and_tell() and lower_definition() do.
dockerfile::Lowered lower_request(const BuildRequest& request, BuildInputs& inputs, ProgressSink& progress,
                                  std::stop_token stop);

/// What is built for, in order, each once.
std::vector<Platform> platforms_of(const dockerfile::Lowered& lowered);

}  // namespace slipway
