#pragma once
// Keeps secrets out of records: those that the build was given, the values of variables whose names say that
// they are secret, and what stands before the @ of an address.
#include <string>
#include <string_view>

#include "base/secret.h"
#include "base/secret_mask.h"

namespace slipway {

class Hider {
 public:
  void add(const Secret& secret) { mask_.add(secret); }
  /// Hides the value from now on if the name says that it is secret.
  void add_variable(std::string_view name, const std::string& value);
  std::string apply(std::string_view text) const;

 private:
  SecretMask mask_;
};

/// "https://user:word@host/x" -> "https://***@host/x", wherever it is in the text.
std::string without_userinfo(std::string_view text);

}  // namespace slipway
