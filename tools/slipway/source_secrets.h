#pragma once
// What a Dockerfile's own text gives away: the values of ENV and ARG that are secret by their names.
#include <string>

#include "graph/definition.h"
#include "history/hider.h"

namespace slipway {

/// The source's text with those values as ***; they are hidden by `hider` from now on, too. What is not in
/// the language of Dockerfiles is left as it is.
std::string without_secret_values(const SourceText& source, Hider& hider);

}  // namespace slipway
