#pragma once
// WWW-Authenticate headers (RFC 9110, 11.6.1).
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace slipway {

struct AuthChallenge {
  std::string scheme;                         ///< lower case
  std::map<std::string, std::string> params;  ///< lower-case names, unquoted values
};

/// All challenges of a header. Never throws for bad input: what cannot be read is left out.
std::vector<AuthChallenge> parse_challenges(std::string_view header);

}  // namespace slipway
