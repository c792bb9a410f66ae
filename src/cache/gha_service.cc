#include "cache/gha_service.h"

#include "base/digest.h"
#include "base/error.h"
#include "base/strings.h"
#include "registry/url.h"

namespace slipway {

std::optional<GhaService::Entry> GhaService::find(const std::string& key, const std::stop_token& stop) {
  auto entry = look_up(key, Match::Whole, stop);
  if (entry && entry->key != key) entry.reset();
  return entry;
}

std::optional<GhaService::Entry> GhaService::find_newest(const std::string& prefix,
                                                         const std::stop_token& stop) {
  auto entry = look_up(prefix, Match::Prefix, stop);
  if (entry && !entry->key.starts_with(prefix)) entry.reset();
  return entry;
}

const std::string& gha_entry_version() {
  static const std::string version(Digest::of("|go-actionscache-1.0").hex());
  return version;
}

std::string gha_address(std::string url, std::string_view path) {
  while (url.ends_with('/')) url.pop_back();
  parse_url(url);
  return url + std::string(path);
}

void refuse_gha_answer(const HttpResponse& response, const std::string& key) {
  const std::string message = twirp_error(response).message;
  throw TransportError(
      concat(key, ": the ", kGhaServer, " answered ", response.status, message.empty() ? "" : ": ", message),
      /*retryable=*/false, response.status);
}

}  // namespace slipway
