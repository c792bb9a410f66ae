#pragma once
// Objects of a bucket: signed requests, tried again as registries are, and large files in parts (the AWS
// reference, "Amazon S3 API").
#include <functional>
#include <map>
#include <stop_token>
#include <string>

#include "base/logger.h"
#include "cache/s3_signature.h"
#include "registry/http.h"

namespace slipway {

/// Thread-safe.
class S3Bucket {
 public:
  struct Options {
    std::string name, region;
    std::string endpoint;  ///< "https://s3.example.com"; empty: Amazon's, with the bucket in the host's name
    S3Credentials credentials;
    /// Files larger than this go up in parts of this size, so that a cut connection costs one part. S3 takes
    /// at most 5 GiB in one piece, and parts of at least 5 MiB.
    std::uint64_t part_size = std::uint64_t{64} << 20;
  };
  /// `logger` must outlive it. Throws TransportError for an endpoint that is no http(s) URL.
  S3Bucket(Options options, Logger& logger);

  struct Call {
    HttpMethod method = HttpMethod::Get;
    std::string key;
    std::map<std::string, std::string> query = {};
    Digest payload = Digest::of("");
    std::function<void(HttpRequest&)> complete = {};  ///< adds body and headers
  };
  /// Any answer but those that mean "later" and "no". Throws Denied, TransportError, Cancelled, and what the
  /// request's callbacks throw.
  HttpResponse send(const Call& call, const std::stop_token& stop);

  /// Makes `key` the `size` bytes of `file`, whose digest is `digest`: all of it, or nothing. Throws as
  /// send(), and TransportError for any other answer.
  void put_file(const std::string& key, int file, std::uint64_t size, const Digest& digest,
                const std::stop_token& stop);

 private:
  HttpResponse try_once(const Call& call, const std::string& what, const std::stop_token& stop);
  /// send(), for answers that can only be good ones.
  HttpResponse insist(const Call& call, const std::stop_token& stop);
  void put_parts(const std::string& key, int file, std::uint64_t size, const std::stop_token& stop);
  /// Returns the part's ETag.
  std::string put_part(const Call& part, const FileBody& bytes, const std::stop_token& stop);
  void give_up(const std::string& key, const std::string& upload);

  const Options options_;
  Logger& logger_;
  HttpClient http_{15};
  std::string origin_, host_, base_path_;  ///< of all requests
};

}  // namespace slipway
