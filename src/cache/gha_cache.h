#pragma once
// A cache in the cache service of GitHub Actions, where BuildKit has it: each layer is an entry named by its
// digest, and each version of the cache config one more entry, index-NAME-…#N, of which the highest N counts.
// Runs of other branches see the entries of the default branch and their own; each scope has an index.
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/secret.h"
#include "base/synchronized.h"
#include "cache/cache_place.h"
#include "cache/gha_service.h"
#include "cache/gha_token.h"
#include "cache/patient_http.h"
#include "cache/signed_blobs.h"

namespace slipway {

/// Who reserves the next number of an index has the turn, so no writer's records are lost.
class GhaCache final : public CachePlace {
 public:
  struct Options {
    enum class Api { V1, V2 } api = Api::V2;
    std::string url;  ///< "https://results-receiver.actions.githubusercontent.com/"
    Secret token;
    std::vector<GhaScope> scopes;         ///< the token's
    std::string cache_name = "buildkit";  ///< BuildKit's scope=
    Seconds timeout{600};
    Seconds first_delay{0.5};
    /// A key that was reserved so long ago, without its entry being there, belongs to a writer that is gone.
    Seconds patience{15};
  };
  /// A reader sees the caches of all scopes as one, a writer only its own.
  enum class Role { Reader, Writer };
  /// `logger` must outlive it. Throws TransportError for an address that is no http(s) URL.
  GhaCache(Options options, Role role, Logger& logger);

  std::string name() const override;
  FoundCache read(std::stop_token stop) override;
  void fetch(const Descriptor& layer, BlobStore& into, const TransferProgress& progress,
             std::stop_token stop) override;
  std::vector<std::string> repositories(const std::string&) const override { return {}; }
  void add(const LayerUpload& upload, std::stop_token stop) override;
  bool write(const CacheConfig& config, const std::string& version, std::stop_token stop) override;
  std::chrono::milliseconds doubt() const override { return std::chrono::milliseconds(0); }

 private:
  struct Latest {
    GhaService::Entry entry;
    std::uint64_t number = 0;
  };
  std::string index_prefix(const std::string& scope) const;
  const std::string& own_scope() const;
  std::optional<Latest> latest(const std::string& scope, const std::stop_token& stop);
  FoundCache read_scope(const std::string& scope, const std::stop_token& stop);
  std::string read_index(const Latest& latest, const std::stop_token& stop);
  void upload(const LayerUpload& upload, const std::string& what, const std::stop_token& stop);
  bool is_abandoned(const std::string& key, const std::stop_token& stop);

  const Options options_;
  const Role role_;
  Logger& logger_;
  PatientHttp http_;
  const std::unique_ptr<GhaService> service_;
  SignedBlobs blobs_;
  /// What this writer found or put there: writers that meet many others come by again and again.
  Synchronized<std::set<Digest>> there_;
};

}  // namespace slipway
