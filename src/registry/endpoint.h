#pragma once
// Where a reference's domain is on the network.
#include <set>
#include <string>
#include <string_view>

namespace slipway {

/// localhost, 127.0.0.0/8 and [::1], with or without a port.
bool is_loopback(std::string_view host);

class Endpoints {
 public:
  explicit Endpoints(std::set<std::string> plain_http);
  /// True if plain HTTP is used for it: loopback, or named by the user with or without its port.
  bool plain_http(std::string_view host) const;
  /// "https://registry-1.docker.io" for docker.io, "http://127.0.0.1:5000".
  std::string base_url(const std::string& domain) const;

 private:
  std::set<std::string> plain_http_;
};

}  // namespace slipway
