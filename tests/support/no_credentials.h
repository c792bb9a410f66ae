#pragma once
// Credentials of somebody who has none: what a client is given whose registry asks for none.
#include <optional>
#include <string>

#include "registry/credentials.h"

namespace slipway::testing_support {

class NoCredentials final : public CredentialSource {
 public:
  std::optional<Credentials> find(const std::string&) override { return std::nullopt; }
};

}  // namespace slipway::testing_support
