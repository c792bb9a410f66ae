#include "registry/endpoint.h"

#include <arpa/inet.h>

#include "base/strings.h"

namespace slipway {
namespace {

std::string without_port(std::string_view host) {
  if (host.starts_with('[')) return std::string(host.substr(0, host.find(']') + 1));
  return std::string(host.substr(0, host.find(':')));
}

}  // namespace

bool is_loopback(std::string_view host) {
  const std::string name = to_lower(without_port(host));
  if (name == "localhost" || name == "[::1]") return true;
  in_addr address{};
  return inet_pton(AF_INET, name.c_str(), &address) == 1 && (ntohl(address.s_addr) >> 24) == 127;
}

Endpoints::Endpoints(std::set<std::string> plain_http) {
  for (const std::string& host : plain_http) plain_http_.insert(to_lower(host));
}

bool Endpoints::plain_http(std::string_view host) const {
  const std::string name = to_lower(host);
  return is_loopback(name) || plain_http_.contains(name) || plain_http_.contains(without_port(name));
}

std::string Endpoints::base_url(const std::string& domain) const {
  if (domain == "docker.io") return "https://registry-1.docker.io";
  return concat(plain_http(domain) ? "http://" : "https://", domain);
}

}  // namespace slipway
