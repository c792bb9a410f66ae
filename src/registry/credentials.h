#pragma once
// Registry credentials as docker keeps them: $DOCKER_CONFIG/config.json or ~/.docker/config.json ("auths" with auth or
// username/password or identitytoken, credHelpers, credsStore).
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/secret.h"

namespace slipway {

struct Credentials {
  std::string username;
  Secret password;        ///< or the identity token, if username is empty
};

/// Thread-safe.
class CredentialSource {
 public:
  virtual ~CredentialSource() = default;
  /// Nothing: go anonymous. `host` as in a reference ("docker.io", "127.0.0.1:5000").
  virtual std::optional<Credentials> find(const std::string& host) = 0;
};

/// Reads the file on first use; a malformed one is InvalidInput naming it. `config_file` empty: docker's default place.
std::shared_ptr<CredentialSource> docker_config_credentials(std::filesystem::path config_file = {});

}  // namespace slipway
