#include "cache/s3_cache.h"

#include <sys/stat.h>

#include <chrono>

#include "base/error.h"
#include "base/strings.h"
#include "manifest/json_reader.h"
#include "registry/retry.h"
#include "registry/url.h"

namespace slipway {

namespace {

constexpr int kAttempts = 5;
constexpr Seconds kFirstDelay{0.5};

std::int64_t now() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

bool is_default_port(const Url& url) {
  return (url.scheme == "https" && url.port == "443") || (url.scheme == "http" && url.port == "80");
}

std::uint64_t length_of(const HttpResponse& response) {
  return parse_unsigned(response.header("content-length").value_or("")).value_or(0);
}

std::uint64_t size_of(int fd, const std::string& what) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) throw SystemError(errno, "stat", what);
  return static_cast<std::uint64_t>(status.st_size);
}

}  // namespace

S3Cache::S3Cache(Options options, Logger& logger) : options_(std::move(options)), logger_(logger) {
  const bool own = !options_.endpoint.empty();
  const Url url =
      parse_url(own ? options_.endpoint
                    : concat("https://", options_.bucket, ".s3.", options_.region, ".amazonaws.com"));
  origin_ = url.origin();
  host_ = is_default_port(url) ? url.host : url.host_port();
  base_path_ = own ? concat("/", options_.bucket, "/") : "/";
}

std::string S3Cache::name() const {
  return concat("the cache ", options_.cache_name, " in s3://", options_.bucket, "/", options_.prefix);
}

std::string S3Cache::blob_key(const Digest& digest) const {
  return concat(options_.prefix, options_.blobs_prefix, digest.str());
}

std::string S3Cache::manifest_key() const {
  return concat(options_.prefix, options_.manifests_prefix, options_.cache_name);
}

HttpResponse S3Cache::try_once(const Call& call, const std::string& what, const std::stop_token& stop) {
  HttpRequest request{.method = call.method};
  request.peer = "S3 server";
  const std::string path = s3_path(base_path_ + call.key);
  request.url = origin_ + path;
  S3Signature signature = sign_s3(
      {.method = std::string(method_name(call.method)), .host = host_, .path = path, .payload = call.payload},
      options_.credentials, options_.region, now());
  request.headers = std::move(signature.headers);
  if (!options_.credentials.access_key.empty()) request.authorization = std::move(signature.authorization);
  if (call.complete) call.complete(request);
  HttpResponse response = http_.perform(request, stop);
  if (response.status == 401 || response.status == 403)
    throw Denied(concat(what, ": the S3 server refuses it (", response.status, ")"));
  if (response.status == 429 || response.status >= 500)
    throw TransportError(concat(what, ": the S3 server answered ", response.status),
                         /*retryable=*/response.status != 501, response.status);
  return response;
}

HttpResponse S3Cache::send(const Call& call, const std::stop_token& stop) {
  const std::string what = concat(call.key, " in the bucket ", options_.bucket);
  RetryBudget retries(kAttempts, kFirstDelay, what, logger_);
  while (true) {
    try {
      return try_once(call, what, stop);
    } catch (const TransportError& e) {
      retries.wait_or_rethrow(e, stop);
    }
  }
}

FoundCache S3Cache::read(std::stop_token stop) {
  const HttpResponse response = send({.key = manifest_key()}, stop);
  if (response.status == 404) return {};
  if (!response.ok())
    throw TransportError(concat(name(), ": the S3 server answered ", response.status), /*retryable=*/false,
                         response.status);
  FoundCache found;
  found.version = response.header("etag").value_or("");
  try {
    if (is_of_newer_form(response.body)) {
      found.kind = FoundCache::Kind::Other;
      found.problem = "was made by a newer slipway";
    } else {
      found.config = parse_cache_config(response.body);
      found.kind = FoundCache::Kind::Cache;
    }
  } catch (const InvalidInput& e) {
    found.kind = FoundCache::Kind::Damaged;
    found.problem = concat("is damaged: ", e.what());
  }
  return found;
}

void S3Cache::fetch(const Descriptor& layer, BlobStore& into, const TransferProgress& progress,
                    std::stop_token stop) {
  if (into.has(layer.digest)) return;
  BlobWriter writer = into.create();
  const HttpResponse response =
      send({.key = blob_key(layer.digest),
            .complete =
                [&](HttpRequest& request) {
                  writer.restart();
                  request.on_body = [&](const HttpResponse&, std::string_view bytes) {
                    if (writer.written() + bytes.size() > layer.size)
                      throw IntegrityError(
                          concat("layer ", layer.digest.str(), " is larger than ", layer.size, " bytes"));
                    writer.write(bytes);
                    if (progress) progress(writer.written(), layer.size);
                  };
                }},
           stop);
  if (!response.ok())
    throw NotFound(concat("layer ", layer.digest.str(), " is not there (", response.status, ")"));
  writer.commit(layer.digest);
}

void S3Cache::add(const LayerUpload& upload, std::stop_token stop) {
  const std::string key = blob_key(upload.layer.digest);
  const HttpResponse present = send({.method = HttpMethod::Head, .key = key}, stop);
  if (present.ok() && length_of(present) == upload.layer.size) return;
  const UniqueFd file = upload.open();
  const std::uint64_t size = size_of(file.get(), key);
  const HttpResponse response =
      send({.method = HttpMethod::Put,
            .key = key,
            .payload = upload.layer.digest,
            .complete =
                [&](HttpRequest& request) {
                  request.file = FileBody{.fd = file.get(), .offset = 0, .size = size, .on_sent = {}};
                }},
           stop);
  if (!response.ok())
    throw TransportError(concat(name(), ": the S3 server answered ", response.status, " to a layer"),
                         /*retryable=*/false, response.status);
}

bool S3Cache::write(const CacheConfig& config, const std::string& version, std::stop_token stop) {
  const std::string bytes = to_json(config);
  if (bytes.size() > JsonDocument::kMaxBytes)
    throw InvalidInput(concat("the cache's list of ", config.layers.size(), " layers is too large"));
  const HttpResponse response = send(
      {.method = HttpMethod::Put,
       .key = manifest_key(),
       .payload = Digest::of(bytes),
       .complete =
           [&](HttpRequest& request) {
             request.body = Secret(bytes);
             request.headers.push_back(version.empty() ? "If-None-Match: *" : concat("If-Match: ", version));
           }},
      stop);
  if (response.status == 412 || response.status == 409 || response.status == 404) return false;
  if (!response.ok())
    throw TransportError(concat(name(), ": the S3 server answered ", response.status), /*retryable=*/false,
                         response.status);
  return true;
}

}  // namespace slipway
