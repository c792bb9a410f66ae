#pragma once
// A cache in a bucket, where BuildKit has it: the cache config alone, under manifests/NAME, and the layers
// under blobs/DIGEST.
#include <string>

#include "cache/cache_place.h"
#include "cache/s3_bucket.h"

namespace slipway {

/// Writes are conditional (If-Match, If-None-Match), which S3 and the servers like it honour.
class S3Cache final : public CachePlace {
 public:
  struct Options {
    S3Bucket::Options bucket;
    std::string cache_name = "buildkit";
    std::string prefix, blobs_prefix = "blobs/", manifests_prefix = "manifests/";
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
  std::string blob_key(const Digest& digest) const;
  std::string manifest_key() const;

  const Options options_;
  S3Bucket bucket_;
};

}  // namespace slipway
