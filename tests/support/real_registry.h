#pragma once
// Debian's docker-registry (the reference implementation) on a free port of 127.0.0.1, storing in a temporary
// directory. Ended with the object.
#include <filesystem>
#include <optional>
#include <string>

#include "base/files.h"

namespace slipway::testing_support {

class RealRegistry {
 public:
  struct Login {
    std::string user, password;
  };
  /// Throws if it does not answer within 20 s. With `login`, it asks for basic credentials (needs htpasswd).
  explicit RealRegistry(const std::optional<Login>& login = std::nullopt);
  ~RealRegistry();
  RealRegistry(const RealRegistry&) = delete;
  RealRegistry& operator=(const RealRegistry&) = delete;

  std::string host() const;
  /// Why such a registry cannot be had here; nothing if it can.
  static std::optional<std::string> missing(bool with_login = false);

 private:
  void start(const std::filesystem::path& config);
  TempDir directory_;
  int port_ = 0;
  int pid_ = -1;
};

}  // namespace slipway::testing_support
