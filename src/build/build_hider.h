#pragma once
// What of a build must not stand in texts about it that are kept: records, descriptions of results in the
// store and in caches.
#include <map>
#include <string>

#include "build/build_request.h"
#include "dockerfile/lower.h"
#include "history/hider.h"

namespace slipway {

/// What is known before the Dockerfile is read: the build's secrets, and build arguments that are secret by
/// name.
Hider hider_of(const BuildRequest& request);
/// All of it: also the ARGs and ENVs of the Dockerfile that are secret by name.
Hider hider_of(const BuildRequest& request, const dockerfile::Lowered& lowered);

/// Of the ARGs of stages; empty where one has none.
std::map<std::string, std::string> values_of_args(const dockerfile::Lowered& lowered);

}  // namespace slipway
