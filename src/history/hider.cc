#include "history/hider.h"

#include "base/secret_names.h"

namespace slipway {

void Hider::add_variable(std::string_view name, const std::string& value) {
  if (names_secret(name)) mask_.add(Secret(value));
}

std::string Hider::apply(std::string_view text) const {
  std::string shown = without_userinfo(text);
  return mask_.empty() ? shown : mask_.apply(shown);
}

std::string without_userinfo(std::string_view text) {
  constexpr std::string_view kScheme = "://";
  // RFC 3986, 3.2: the authority ends before /, ? or #; in a text also where no URL goes on.
  constexpr std::string_view kEnd = "/?#\"'`<>\\ \t\r\n";
  std::string out;
  while (true) {
    const std::size_t scheme = text.find(kScheme);
    if (scheme == std::string_view::npos) return out.append(text);
    const std::size_t host = scheme + kScheme.size();
    out.append(text.substr(0, host));
    text.remove_prefix(host);
    // A word may hold an @ itself: the last one before the path ends it.
    const std::string_view authority = text.substr(0, text.find_first_of(kEnd));
    if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
      out.append(SecretMask::kShown);
      text.remove_prefix(at);
    }
  }
}

}  // namespace slipway
