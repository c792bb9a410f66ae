#pragma once
// The cache service of GitHub Actions, version 2: entries under keys, each written once and never changed.
// What is in them lies elsewhere, at addresses that the service signs (signed_blobs.h).
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/secret.h"
#include "cache/patient_http.h"

namespace slipway {

/// Thread-safe. All throw Denied, TransportError, Cancelled; InvalidInput for answers that make no sense.
class GhaService {
 public:
  /// `http` must outlive it. Throws TransportError for what is no http(s) address.
  GhaService(std::string url, Secret token, PatientHttp& http);

  struct Entry {
    std::string key;
    Secret url;  ///< to read it from
  };
  /// The entry of that very key.
  std::optional<Entry> find(const std::string& key, std::stop_token stop);
  /// The newest whose key begins so: of the run's own scope if it has any, else of those that it may read.
  std::optional<Entry> find_newest(const std::string& prefix, std::stop_token stop);

  /// Takes the key and tells where to write to; nothing if the key is taken. Nobody sees an entry before it
  /// is finished.
  std::optional<Secret> reserve(const std::string& key, std::stop_token stop);
  /// False if the service does not take it.
  bool finish(const std::string& key, std::uint64_t size, std::stop_token stop);

 private:
  std::optional<Entry> look_up(const std::string& key, bool prefix, const std::stop_token& stop);
  HttpResponse call(std::string_view method, const std::string& body, const std::string& key,
                    const std::stop_token& stop);
  Secret signed_url(std::string url) const;

  std::string base_;
  const Secret authorization_;
  PatientHttp& http_;
};

}  // namespace slipway
