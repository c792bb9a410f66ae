#pragma once
// URLs as far as a registry client needs them. Everything that comes from a server is checked here: only http and
// https, no user names in it.
#include <string>
#include <string_view>

namespace slipway {

struct Url {
  std::string scheme;  ///< "http" or "https"
  std::string host;    ///< lower case; an IPv6 address in brackets
  std::string port;    ///< always there
  std::string origin() const { return scheme + "://" + host + ":" + port; }
  std::string host_port() const { return host + ":" + port; }
};

/// Throws TransportError (not retryable) for what is no http(s) URL.
Url parse_url(const std::string& url);
bool same_origin(const std::string& a, const std::string& b);

/// What a Location header means, seen from `base`: it may be relative, and its query is kept. Throws TransportError
/// if it is malformed or leads from https to http.
std::string resolve_location(const std::string& base, const std::string& location);

std::string percent_encode(std::string_view text);
std::string with_query(std::string url, std::string_view key, std::string_view value);
/// For messages and logs: queries carry signatures and upload states.
std::string without_query(std::string_view url);

}  // namespace slipway
