// Twirp: JSON over POST. What is in an entry lies elsewhere, at addresses that the service signs.
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/strings.h"
#include "cache/gha_service.h"
#include "cache/signed_blobs.h"
#include "manifest/json_reader.h"
#include "registry/url.h"

namespace slipway {

namespace {

using nlohmann::ordered_json;

constexpr const char* kPath = "/twirp/github.actions.results.api.v1.CacheService/";
constexpr const char* kAnswer = "the cache service's answer";

class ServiceV2 final : public GhaService {
 public:
  ServiceV2(const std::string& url, const Secret& token, PatientHttp& http)
      : base_(gha_address(url, kPath)),
        authorization_(concat("Bearer ", token.reveal())),
        http_(http),
        blobs_(http) {}

  std::optional<Secret> reserve(const std::string& key, const std::stop_token& stop) override {
    const ordered_json body = {{"key", key}, {"version", gha_entry_version()}};
    const HttpResponse response = call("CreateCacheEntry", body.dump(), key, stop);
    if (response.status == 409) return std::nullopt;
    if (!response.ok()) refuse_gha_answer(response, key);
    const JsonDocument document(response.body, kAnswer);
    if (!document.root().boolean_or("ok", false)) return std::nullopt;
    return signed_url(document.root().at("signed_upload_url").string());
  }

  void write(const Secret& place, const std::string& bytes, const std::string& what,
             const std::stop_token& stop) override {
    blobs_.write(place.reveal(), bytes, what, stop);
  }
  void upload(const Secret& place, int fd, std::uint64_t size, const std::string& what,
              const std::stop_token& stop) override {
    blobs_.upload(place.reveal(), fd, size, what, stop);
  }

  bool finish(const std::string& key, const Secret&, std::uint64_t size,
              const std::stop_token& stop) override {
    const ordered_json body = {
        {"key", key}, {"size_bytes", std::to_string(size)}, {"version", gha_entry_version()}};
    const HttpResponse response = call("FinalizeCacheEntryUpload", body.dump(), key, stop);
    if (const std::string code = twirp_error(response).code; code == "not_found" || code == "already_exists")
      return false;
    if (!response.ok()) refuse_gha_answer(response, key);
    const JsonDocument document(response.body, kAnswer);
    return document.root().boolean_or("ok", false);
  }

 protected:
  std::optional<Entry> look_up(const std::string& key, Match match, const std::stop_token& stop) override {
    ordered_json body = {
        {"key", key}, {"restore_keys", ordered_json::array()}, {"version", gha_entry_version()}};
    if (match == Match::Prefix) body["restore_keys"].push_back(key);
    const HttpResponse response = call("GetCacheEntryDownloadURL", body.dump(), key, stop);
    if (twirp_error(response).code == "not_found") return std::nullopt;
    if (!response.ok()) refuse_gha_answer(response, key);
    const JsonDocument document(response.body, kAnswer);
    const JsonNode root = document.root();
    if (!root.boolean_or("ok", false)) return std::nullopt;
    return Entry{.key = root.string_or("matched_key"),
                 .url = signed_url(root.at("signed_download_url").string())};
  }

 private:
  HttpResponse call(std::string_view method, const std::string& body, const std::string& key,
                    const std::stop_token& stop) {
    return http_.send({.what = key,
                       .server = kGhaServer,
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
  Secret signed_url(const std::string& url) const { return Secret(resolve_location(base_, url)); }

  const std::string base_;
  const Secret authorization_;
  PatientHttp& http_;
  SignedBlobs blobs_;
};

}  // namespace

std::unique_ptr<GhaService> gha_service_v2(const std::string& url, const Secret& token, PatientHttp& http) {
  return std::make_unique<ServiceV2>(url, token, http);
}

}  // namespace slipway
