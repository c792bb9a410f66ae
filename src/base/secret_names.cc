#include "base/secret_names.h"

#include <algorithm>
#include <initializer_list>
#include <string>

#include "base/strings.h"

namespace slipway {
namespace {

bool has_part(std::string_view name, std::initializer_list<std::string_view> parts) {
  for (const std::string& part : split(to_lower(name), '_'))
    if (std::find(parts.begin(), parts.end(), part) != parts.end()) return true;
  return false;
}

}  // namespace

bool names_secret(std::string_view name) {
  return has_part(name, {"apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd",
                         "secret", "token"}) &&
         !has_part(name, {"public", "file", "version"});
}

}  // namespace slipway
