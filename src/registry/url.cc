#include "registry/url.h"

#include <memory>

#include "base/error.h"
#include "base/strings.h"
#include "registry/curl_library.h"

namespace slipway {
namespace {

struct FreeUrl {
  void operator()(CURLU* url) const noexcept { libcurl().url_cleanup(url); }
};
using UrlHandle = std::unique_ptr<CURLU, FreeUrl>;

[[noreturn]] void refuse(std::string_view url, std::string_view why) {
  throw TransportError(concat("unusable address ", without_query(url).substr(0, 200), ": ", why),
                       /*retryable=*/false);
}

void set(const UrlHandle& handle, const std::string& url) {
  const CURLUcode problem = libcurl().url_set(handle.get(), CURLUPART_URL, url.c_str(), CURLU_DISALLOW_USER);
  if (problem != CURLUE_OK) refuse(url, libcurl().url_strerror(problem));
}

std::string get(const UrlHandle& handle, CURLUPart part, const std::string& url) {
  char* text = nullptr;
  const CURLUcode problem = libcurl().url_get(handle.get(), part, &text, CURLU_DEFAULT_PORT);
  if (problem != CURLUE_OK) refuse(url, libcurl().url_strerror(problem));
  const std::unique_ptr<char, decltype(libcurl().free)> owner(text, libcurl().free);
  return text;
}

UrlHandle make_handle() {
  UrlHandle handle(libcurl().url());
  if (!handle) throw std::bad_alloc();
  return handle;
}

}  // namespace

Url parse_url(const std::string& url) {
  const UrlHandle handle = make_handle();
  set(handle, url);
  Url out{.scheme = get(handle, CURLUPART_SCHEME, url),
          .host = to_lower(get(handle, CURLUPART_HOST, url)),
          .port = get(handle, CURLUPART_PORT, url)};
  if (out.scheme != "http" && out.scheme != "https") refuse(url, "only http and https are used");
  return out;
}

bool same_origin(const std::string& a, const std::string& b) {
  return parse_url(a).origin() == parse_url(b).origin();
}

std::string resolve_location(const std::string& base, const std::string& location) {
  if (location.empty()) refuse(base, "it sent an empty Location");
  const UrlHandle handle = make_handle();
  set(handle, base);
  set(handle, location);
  char* text = nullptr;
  if (libcurl().url_get(handle.get(), CURLUPART_URL, &text, 0) != CURLUE_OK) refuse(location, "malformed");
  const std::unique_ptr<char, decltype(libcurl().free)> owner(text, libcurl().free);
  std::string out = text;
  if (parse_url(base).scheme == "https" && parse_url(out).scheme == "http") {
    TransportError error(concat("the server leads from https to plain http (", without_query(out), ")"),
                         /*retryable=*/false);
    error.set_hint("a proxy in front of it probably does not send X-Forwarded-Proto");
    throw error;
  }
  return out;
}

std::string percent_encode(std::string_view text) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

std::string with_query(std::string url, std::string_view key, std::string_view value) {
  url += url.find('?') == std::string::npos ? '?' : '&';
  return url + concat(key, "=", percent_encode(value));
}

std::string without_query(std::string_view url) { return std::string(url.substr(0, url.find('?'))); }

}  // namespace slipway
