// The grammar is that of distribution/reference (docs/spec, "reference"):
//   reference      := name [":" tag] ["@" digest]
//   name           := [domain "/"] path-component ["/" path-component]*
//   domain         := host [":" port]     host := dotted name, IPv4 or "[" IPv6 "]"
//   path-component := alnum+ (("." | "_" | "__" | "-"+) alnum+)*     (lower case only)
//   tag            := [A-Za-z0-9_] [A-Za-z0-9_.-]{0,127}
#include "manifest/image_ref.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/strings.h"

namespace slipway {
namespace {

constexpr std::string_view kDefaultDomain = "docker.io";
constexpr std::string_view kLegacyDefaultDomain = "index.docker.io";
constexpr std::string_view kOfficialPrefix = "library/";
constexpr std::string_view kDefaultTag = "latest";
constexpr std::size_t kMaxRepository = 255;
constexpr std::size_t kMaxTag = 128;

// Not <cctype>: those ask the locale, and a reference means the same everywhere.
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower_alnum(char c) { return (c >= 'a' && c <= 'z') || is_digit(c); }
bool is_alnum(char c) { return is_lower_alnum(c) || is_upper(c); }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

[[noreturn]] void refuse(std::string_view text, std::string_view why, std::string hint = {}) {
  constexpr std::size_t kShown = 200;
  InvalidInput error(concat("invalid image reference \"", text.substr(0, kShown),
                            text.size() > kShown ? "…" : "", "\": ", why));
  if (!hint.empty()) error.set_hint(std::move(hint));
  throw error;
}

bool valid_path_component(std::string_view part) {
  std::size_t i = 0;
  while (true) {
    const std::size_t word = i;
    while (i < part.size() && is_lower_alnum(part[i])) ++i;
    if (i == word) return false;
    if (i == part.size()) return true;
    if (part[i] == '.') {
      ++i;
    } else if (part[i] == '_') {
      i += part.substr(i).starts_with("__") ? 2 : 1;
    } else if (part[i] == '-') {
      while (i < part.size() && part[i] == '-') ++i;
    } else {
      return false;
    }
  }
}

bool valid_host_name(std::string_view host) {
  return std::ranges::all_of(split(host, '.'), [](const std::string& label) {
    return !label.empty() && is_alnum(label.front()) && is_alnum(label.back()) &&
           std::ranges::all_of(label, [](char c) { return is_alnum(c) || c == '-'; });
  });
}

bool valid_host(std::string_view host) {
  if (!host.starts_with('[')) return valid_host_name(host);
  if (!host.ends_with(']') || host.size() < 4) return false;
  const std::string_view address = host.substr(1, host.size() - 2);
  return address.find(':') != std::string_view::npos &&
         std::ranges::all_of(address, [](char c) { return is_hex(c) || c == ':' || c == '.'; });
}

void check_domain(std::string_view text, std::string_view domain) {
  std::string_view host = domain;
  const std::size_t bracket = domain.rfind(']');
  const std::size_t colon = domain.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon != std::string_view::npos) {
    const std::string_view port = domain.substr(colon + 1);
    const auto number = parse_unsigned(port);
    if (!number || *number == 0 || *number > 65535)
      refuse(text, concat("\"", port, "\" is not a port number"));
    host = domain.substr(0, colon);
  }
  if (!valid_host(host)) refuse(text, concat("\"", host, "\" is not a host name"));
}

void check_repository(std::string_view text, std::string_view repository) {
  if (repository.empty()) refuse(text, "the repository name is empty");
  if (repository.size() > kMaxRepository)
    refuse(text, concat("the repository name is longer than ", kMaxRepository, " characters"));
  if (std::ranges::any_of(repository, is_upper))
    refuse(text, "a repository name must be lower case", concat("write ", to_lower(repository)));
  for (const std::string& part : split(repository, '/')) {
    if (part.empty()) refuse(text, "the repository name has an empty part");
    if (!valid_path_component(part))
      refuse(text, concat("\"", part,
                          "\" is not a valid part of a repository name (letters a-z and digits, separated by "
                          "\".\", \"_\", \"__\" or \"-\")"));
  }
}

void check_tag(std::string_view text, std::string_view tag) {
  if (tag.empty()) refuse(text, "the tag is empty");
  if (tag.size() > kMaxTag) refuse(text, concat("the tag is longer than ", kMaxTag, " characters"));
  const auto inner = [](char c) { return is_alnum(c) || c == '_' || c == '.' || c == '-'; };
  if (tag.front() == '.' || tag.front() == '-' || !std::ranges::all_of(tag, inner))
    refuse(text, concat("\"", tag, "\" is not a valid tag (letters, digits, \"_\", \".\" and \"-\")"));
}

// The first part of a name is a host only if it looks like one; "team/app" lives on docker.io.
bool looks_like_domain(std::string_view part) {
  return part == "localhost" || part.find_first_of(".:") != std::string_view::npos ||
         std::ranges::any_of(part, is_upper);
}

}  // namespace

ImageRef ImageRef::parse(std::string_view text) {
  if (text.empty()) refuse(text, "it is empty");
  if (text.find("://") != std::string_view::npos)
    refuse(text, "a reference has no scheme",
           concat("write ", text.substr(text.find("://") + 3).substr(0, 200)));
  ImageRef ref;
  std::string_view rest = text;
  if (const std::size_t at = rest.find('@'); at != std::string_view::npos) {
    const std::string_view digest = rest.substr(at + 1);
    if (!Digest::is_valid(digest)) refuse(text, "what follows \"@\" is not sha256: and 64 hex digits");
    ref.digest_ = Digest::parse(digest);
    rest = rest.substr(0, at);
  }
  const std::size_t slash = rest.rfind('/');
  const std::size_t colon = rest.rfind(':');
  if (colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash)) {
    const std::string_view tag = rest.substr(colon + 1);
    check_tag(text, tag);
    ref.tag_ = tag;
    rest = rest.substr(0, colon);
  } else if (!ref.digest_) {
    ref.tag_ = kDefaultTag;
  }
  if (!ref.digest_ && rest.size() == 64 && std::ranges::all_of(rest, [](char c) { return is_hex(c) && !is_upper(c); }))
    refuse(text, "64 hex digits name an image's id, not a repository");

  const std::size_t first = rest.find('/');
  ref.domain_ = kDefaultDomain;
  if (first != std::string_view::npos && looks_like_domain(rest.substr(0, first))) {
    const std::string_view domain = rest.substr(0, first);
    check_domain(text, domain);
    ref.domain_ = domain == kLegacyDefaultDomain ? kDefaultDomain : domain;
    rest = rest.substr(first + 1);
  }
  ref.repository_ = rest;
  if (ref.domain_ == kDefaultDomain && !rest.empty() && rest.find('/') == std::string_view::npos)
    ref.repository_ = concat(kOfficialPrefix, rest);
  check_repository(text, ref.repository_);
  return ref;
}

std::string ImageRef::str() const {
  std::string out = name();
  if (!tag_.empty()) out += concat(":", tag_);
  if (digest_) out += concat("@", digest_->str());
  return out;
}

std::string ImageRef::familiar() const {
  std::string whole = str();
  if (domain_ != kDefaultDomain) return whole;
  std::string_view repository = repository_;
  if (repository.starts_with(kOfficialPrefix) &&
      repository.find('/', kOfficialPrefix.size()) == std::string_view::npos)
    repository.remove_prefix(kOfficialPrefix.size());
  // docker.io/localhost/x or docker.io/foo.bar/x must not read as a host when written short.
  const std::size_t first = repository.find('/');
  if (first != std::string_view::npos && looks_like_domain(repository.substr(0, first))) return whole;
  return concat(repository, std::string_view(whole).substr(name().size()));
}

ImageRef ImageRef::with_digest(const Digest& digest) const {
  ImageRef out = *this;
  out.digest_ = digest;
  return out;
}

}  // namespace slipway
