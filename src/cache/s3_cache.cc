#include "cache/s3_cache.h"

#include <sys/stat.h>

#include "base/error.h"
#include "base/strings.h"
#include "manifest/json_reader.h"

namespace slipway {

namespace {

std::uint64_t length_of(const HttpResponse& response) {
  return parse_unsigned(response.header("content-length").value_or("")).value_or(0);
}

std::uint64_t size_of(int fd, const std::string& what) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) throw SystemError(errno, "stat", what);
  return static_cast<std::uint64_t>(status.st_size);
}

}  // namespace

S3Cache::S3Cache(Options options, Logger& logger)
    : options_(std::move(options)), bucket_(options_.bucket, logger) {}

std::string S3Cache::name() const {
  return concat("the cache ", options_.cache_name, " in s3://", options_.bucket.name, "/", options_.prefix);
}

std::string S3Cache::blob_key(const Digest& digest) const {
  return concat(options_.prefix, options_.blobs_prefix, digest.str());
}

std::string S3Cache::manifest_key() const {
  return concat(options_.prefix, options_.manifests_prefix, options_.cache_name);
}

FoundCache S3Cache::read(std::stop_token stop) {
  const HttpResponse response = bucket_.send({.key = manifest_key()}, stop);
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
  if (progress) progress(0, layer.size);
  const HttpResponse response =
      bucket_.send({.key = blob_key(layer.digest),
                    .complete =
                        [&](HttpRequest& request) {
                          writer.restart();
                          request.on_body = [&](const HttpResponse&, std::string_view bytes) {
                            if (writer.written() + bytes.size() > layer.size)
                              throw IntegrityError(concat("layer ", layer.digest.str(), " is larger than ",
                                                          layer.size, " bytes"));
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
  const HttpResponse present = bucket_.send({.method = HttpMethod::Head, .key = key}, stop);
  if (present.ok() && length_of(present) == upload.layer.size) return;
  const UniqueFd file = upload.open();
  bucket_.put_file(key, file.get(), size_of(file.get(), key), upload.layer.digest, stop);
}

bool S3Cache::write(const CacheConfig& config, const std::string& version, std::stop_token stop) {
  const std::string bytes = to_json(config);
  if (bytes.size() > JsonDocument::kMaxBytes)
    throw InvalidInput(concat("the cache's list of ", config.layers.size(), " layers is too large"));
  const HttpResponse response = bucket_.send(
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
