#pragma once
// HMAC-SHA256 (RFC 2104), for signatures of requests.
#include <string>
#include <string_view>

namespace slipway {

/// The 32 bytes.
std::string hmac_sha256(std::string_view key, std::string_view text);

}  // namespace slipway
