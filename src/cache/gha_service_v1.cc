// The service takes what is in an entry itself, in ranges, and signs only where to read it from.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/strings.h"
#include "cache/gha_service.h"
#include "manifest/json_reader.h"
#include "registry/url.h"

namespace slipway {

namespace {

using nlohmann::ordered_json;

constexpr const char* kPath = "/_apis/artifactcache/";
constexpr const char* kAnswer = "the cache service's answer";
constexpr std::uint64_t kRange = std::uint64_t{32} << 20;

class ServiceV1 final : public GhaService {
 public:
  ServiceV1(const std::string& url, const Secret& token, PatientHttp& http)
      : base_(gha_address(url, kPath)), authorization_(concat("Bearer ", token.reveal())), http_(http) {}

  std::optional<Secret> reserve(const std::string& key, const std::stop_token& stop) override {
    const ordered_json body = {{"key", key}, {"version", gha_entry_version()}};
    const HttpResponse response = send(key, json_request("caches", body.dump()), stop);
    if (response.status == 409) return std::nullopt;
    if (!response.ok()) refuse_gha_answer(response, key);
    const JsonDocument document(response.body, kAnswer);
    const auto id = document.root().find("cacheId");
    return Secret(std::to_string((id ? *id : document.root().at("cacheID")).unsigned_integer()));
  }

  void write(const Secret& place, const std::string& bytes, const std::string& what,
             const std::stop_token& stop) override {
    put(place, 0, bytes.size(), what, stop, [&](HttpRequest& request) { request.body = Secret(bytes); });
  }
  void upload(const Secret& place, int fd, std::uint64_t size, const std::string& what,
              const std::stop_token& stop) override {
    for (std::uint64_t offset = 0; offset < size; offset += kRange) {
      const std::uint64_t length = std::min(kRange, size - offset);
      put(place, offset, length, what, stop, [&](HttpRequest& request) {
        request.file = FileBody{.fd = fd, .offset = offset, .size = length, .on_sent = {}};
      });
    }
  }

  bool finish(const std::string& key, const Secret& place, std::uint64_t size,
              const std::stop_token& stop) override {
    const ordered_json body = {{"size", size}};
    return send(key, json_request(concat("caches/", place.reveal()), body.dump()), stop).ok();
  }

 protected:
  // Each key stands for itself, and else for all that begin with it.
  std::optional<Entry> look_up(const std::string& key, Match, const std::stop_token& stop) override {
    HttpRequest request = request_for(HttpMethod::Get, "cache");
    request.url = with_query(with_query(request.url, "keys", key), "version", gha_entry_version());
    const HttpResponse response = send(key, request, stop);
    if (response.status == 204 || (response.ok() && response.body.empty())) return std::nullopt;
    if (!response.ok()) refuse_gha_answer(response, key);
    const JsonDocument document(response.body, kAnswer);
    const JsonNode root = document.root();
    if (root.string_or("cacheKey").empty()) return std::nullopt;
    return Entry{.key = root.string_or("cacheKey"),
                 .url = Secret(resolve_location(base_, root.at("archiveLocation").string()))};
  }

 private:
  HttpRequest request_for(HttpMethod method, const std::string& path) const {
    HttpRequest request{.method = method, .url = base_ + path};
    request.headers = {"Accept: application/json;api-version=6.0-preview.1"};
    request.authorization = authorization_;
    return request;
  }
  HttpRequest json_request(const std::string& path, std::string body) const {
    HttpRequest request = request_for(HttpMethod::Post, path);
    request.headers.emplace_back("Content-Type: application/json");
    request.body = Secret(std::move(body));
    return request;
  }
  HttpResponse send(const std::string& what, const HttpRequest& request, const std::stop_token& stop) {
    return http_.send({.what = what, .server = kGhaServer, .request = [&] { return request; }}, stop);
  }
  void put(const Secret& place, std::uint64_t offset, std::uint64_t length, const std::string& what,
           const std::stop_token& stop, const std::function<void(HttpRequest&)>& complete) {
    HttpRequest request = request_for(HttpMethod::Patch, concat("caches/", place.reveal()));
    request.headers.emplace_back("Content-Type: application/octet-stream");
    request.headers.push_back(concat("Content-Range: bytes ", offset, "-", offset + length - 1, "/*"));
    complete(request);
    if (const HttpResponse response = send(what, request, stop); !response.ok())
      refuse_gha_answer(response, what);
  }

  const std::string base_;
  const Secret authorization_;
  PatientHttp& http_;
};

}  // namespace

std::unique_ptr<GhaService> gha_service_v1(const std::string& url, const Secret& token, PatientHttp& http) {
  return std::make_unique<ServiceV1>(url, token, http);
}

}  // namespace slipway
