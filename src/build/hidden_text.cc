#include "build/hidden_text.h"

#include "base/strings.h"

namespace slipway {

namespace {

// "https://joe:word@host/" -> "https://***@host/" (RFC 3986, 3.2: the authority ends before /, ? or #; in a
// text also where no URL goes on). A password may hold an @, so the last one counts.
std::string without_logins(std::string_view text) {
  constexpr std::string_view kMark = "://";
  constexpr std::string_view kEnd = "/?#\"'`<>\\ \t\r\n";
  std::string out;
  while (true) {
    const std::size_t mark = text.find(kMark);
    if (mark == std::string_view::npos) return out.append(text);
    const std::size_t begin = mark + kMark.size();
    const std::string_view authority = text.substr(begin, text.substr(begin).find_first_of(kEnd));
    const std::size_t at = authority.rfind('@');
    out.append(text.substr(0, begin));
    if (at != std::string_view::npos) out.append(SecretMask::kShown);
    text.remove_prefix(begin + (at == std::string_view::npos ? 0 : at));
  }
}

}  // namespace

std::string hidden_text(const SecretMask& secrets, std::string_view text) {
  return without_logins(secrets.apply(text));
}

}  // namespace slipway
