#pragma once
// A cache in a bucket, where BuildKit has it: the cache config alone, under manifests/NAME, and the layers
// under blobs/DIGEST.
#include <string>

#include "cache/cache_place.h"
#include "cache/s3_signature.h"
#include "registry/http.h"

namespace slipway {

/// Writes are conditional (If-Match, If-None-Match), which S3 and the servers like it honour.
class S3Cache final : public CachePlace {
 public:
  struct Options {
    std::string bucket, region;
    std::string endpoint;  ///< "https://s3.example.com"; empty: Amazon's, with the bucket in the host's name
    std::string cache_name = "buildkit";
    std::string prefix, blobs_prefix = "blobs/", manifests_prefix = "manifests/";
    S3Credentials credentials;
  };
  /// `logger` must outlive it. Throws TransportError for an endpoint that is no http(s) URL.
  S3Cache(Options options, Logger& logger);

  std::string name() const override;
  FoundCache read(std::stop_token stop) override;
  void fetch(const Descriptor& layer, BlobStore& into, const TransferProgress& progress,
             std::stop_token stop) override;
  std::vector<std::string> repositories(const std::string&) const override { return {}; }
  void add(const LayerUpload& upload, std::stop_token stop) override;
  bool write(const CacheConfig& config, const std::string& version, std::stop_token stop) override;
  std::chrono::milliseconds doubt() const override { return std::chrono::milliseconds(0); }

 private:
  struct Call {
    HttpMethod method = HttpMethod::Get;
    std::string key;
    Digest payload = Digest::of("");
    std::function<void(HttpRequest&)> complete = {};  ///< adds body and headers
  };
  /// Signed, and tried again as registries are. Throws Denied, TransportError.
  HttpResponse send(const Call& call, const std::stop_token& stop);
  HttpResponse try_once(const Call& call, const std::string& what, const std::stop_token& stop);
  std::string blob_key(const Digest& digest) const;
  std::string manifest_key() const;

  const Options options_;
  Logger& logger_;
  HttpClient http_{15};
  std::string origin_, host_, base_path_;  ///< of all requests
};

}  // namespace slipway
