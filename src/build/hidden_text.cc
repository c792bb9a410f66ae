#include "build/hidden_text.h"

#include "history/hider.h"

namespace slipway {

std::string hidden_text(const SecretMask& secrets, std::string_view text) {
  return without_userinfo(secrets.apply(text));
}

}  // namespace slipway
