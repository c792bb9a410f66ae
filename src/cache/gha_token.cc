#include "cache/gha_token.h"

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "manifest/json_reader.h"

namespace slipway {

namespace {

constexpr std::int64_t kMayWrite = 2;  // bits of a permission; 1 is to read

/// The middle part of a JSON web token, which is in the alphabet of URLs.
std::string claims_of(const std::string& token) {
  const std::vector<std::string> parts = split(token, '.');
  if (parts.size() != 3) throw InvalidInput("it is no JSON web token");
  std::string middle = parts[1];
  std::ranges::replace(middle, '-', '+');
  std::ranges::replace(middle, '_', '/');
  return base64_decode(middle);
}

}  // namespace

std::vector<GhaScope> scopes_of_token(const Secret& token) {
  const std::string claims = claims_of(token.reveal());
  const JsonDocument document(claims, "the token");
  const auto access = document.root().find("ac");
  if (!access) throw InvalidInput("it gives no access to the cache service");
  const std::string text = access->string();  // JSON within JSON
  const JsonDocument list(text, "the token's access");
  std::vector<GhaScope> scopes;
  for (const JsonNode& node : list.root().elements())
    scopes.push_back(
        {.name = node.string_or("Scope"), .may_write = (node.integer_or("Permission", 0) & kMayWrite) != 0});
  if (scopes.empty()) throw InvalidInput("it gives no access to the cache service");
  return scopes;
}

}  // namespace slipway
