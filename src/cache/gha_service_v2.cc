#include "cache/gha_service.h"

#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/error.h"
#include "base/strings.h"
#include "manifest/json_reader.h"
#include "registry/url.h"

namespace slipway {

namespace {

using nlohmann::ordered_json;

constexpr const char* kServer = "cache service";
constexpr const char* kPath = "/twirp/github.actions.results.api.v1.CacheService/";

/// Entries of another version are not seen. This one is that of BuildKit's, so that each finds the other's.
const std::string& version() {
  static const std::string version(Digest::of("|go-actionscache-1.0").hex());
  return version;
}

[[noreturn]] void refuse(const HttpResponse& response, const std::string& key) {
  const std::string message = twirp_error(response).message;
  throw TransportError(
      concat(key, ": the ", kServer, " answered ", response.status, message.empty() ? "" : ": ", message),
      /*retryable=*/false, response.status);
}

}  // namespace

GhaService::GhaService(std::string url, Secret token, PatientHttp& http)
    : base_(std::move(url)), authorization_(concat("Bearer ", token.reveal())), http_(http) {
  while (base_.ends_with('/')) base_.pop_back();
  parse_url(base_);
  base_ += kPath;
}

HttpResponse GhaService::call(std::string_view method, const std::string& body, const std::string& key,
                              const std::stop_token& stop) {
  return http_.send({.what = key,
                     .server = kServer,
                     .request =
                         [&] {
                           HttpRequest request{.method = HttpMethod::Post, .url = concat(base_, method)};
                           request.headers = {"Content-Type: application/json"};
                           request.authorization = authorization_;
                           request.body = Secret(body);
                           return request;
                         }},
                    stop);
}

/// Not from https to http, and no other scheme.
Secret GhaService::signed_url(std::string url) const { return Secret(resolve_location(base_, url)); }

std::optional<GhaService::Entry> GhaService::look_up(const std::string& key, bool prefix,
                                                     const std::stop_token& stop) {
  ordered_json body = {{"key", key}, {"restore_keys", ordered_json::array()}, {"version", version()}};
  if (prefix) body["restore_keys"].push_back(key);
  const HttpResponse response = call("GetCacheEntryDownloadURL", body.dump(), key, stop);
  if (twirp_error(response).code == "not_found") return std::nullopt;
  if (!response.ok()) refuse(response, key);
  const JsonDocument document(response.body, concat("the ", kServer, "'s answer"));
  const JsonNode root = document.root();
  if (!root.boolean_or("ok", false)) return std::nullopt;
  Entry entry{.key = root.string_or("matched_key"), .url = {}};
  if (prefix ? !entry.key.starts_with(key) : entry.key != key) return std::nullopt;
  entry.url = signed_url(root.at("signed_download_url").string());
  return entry;
}

std::optional<GhaService::Entry> GhaService::find(const std::string& key, std::stop_token stop) {
  return look_up(key, /*prefix=*/false, stop);
}

std::optional<GhaService::Entry> GhaService::find_newest(const std::string& prefix, std::stop_token stop) {
  return look_up(prefix, /*prefix=*/true, stop);
}

std::optional<Secret> GhaService::reserve(const std::string& key, std::stop_token stop) {
  const ordered_json body = {{"key", key}, {"version", version()}};
  const HttpResponse response = call("CreateCacheEntry", body.dump(), key, stop);
  if (response.status == 409) return std::nullopt;
  if (!response.ok()) refuse(response, key);
  const JsonDocument document(response.body, concat("the ", kServer, "'s answer"));
  if (!document.root().boolean_or("ok", false)) return std::nullopt;
  return signed_url(document.root().at("signed_upload_url").string());
}

bool GhaService::finish(const std::string& key, std::uint64_t size, std::stop_token stop) {
  const ordered_json body = {{"key", key}, {"size_bytes", std::to_string(size)}, {"version", version()}};
  const HttpResponse response = call("FinalizeCacheEntryUpload", body.dump(), key, stop);
  // A try whose answer was lost may have finished it: the caller looks.
  if (const std::string code = twirp_error(response).code; code == "not_found" || code == "already_exists")
    return false;
  if (!response.ok()) refuse(response, key);
  const JsonDocument document(response.body, concat("the ", kServer, "'s answer"));
  return document.root().boolean_or("ok", false);
}

}  // namespace slipway
