#pragma once
// What the token of GitHub's cache service says of itself. Whether it is genuine is the service's to tell.
#include <string>
#include <vector>

#include "base/secret.h"

namespace slipway {

/// A branch, pull request or tag, whose entries a run may see.
struct GhaScope {
  std::string name;  ///< "refs/heads/main"
  bool may_write = false;
  bool operator==(const GhaScope&) const = default;
};

/// The run's own scope first. Throws InvalidInput for what is no token of the cache service.
std::vector<GhaScope> scopes_of_token(const Secret& token);

}  // namespace slipway
