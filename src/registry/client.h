#pragma once
// A client of OCI distribution-spec 1.1 registries: token and basic auth from docker's config.json, plain HTTP for
// loopback, resumable retried transfers, cross-repository mounts. libcurl stays in this module.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/logger.h"
#include "base/unique_fd.h"
#include "manifest/image_ref.h"
#include "manifest/oci.h"
#include "registry/credentials.h"

namespace slipway {

struct RegistryOptions {
  std::set<std::string> plain_http;   ///< hosts besides loopback that speak http
  int attempts = 5;                   ///< for whatever may be tried again (5xx, 429, cut connections)
  double first_delay_seconds = 0.5;   ///< doubled each time, with jitter; Retry-After wins (up to 60 s)
  int connect_timeout_seconds = 15;
};

struct FetchedManifest {
  std::string media_type;
  std::string bytes;
  Digest digest;   ///< of `bytes`
};

/// Where a fetched blob goes. `restart` is called if the server cannot resume and begins again.
struct BlobSink {
  std::function<void(std::string_view)> write;
  std::function<void()> restart;
};
/// Called with (bytes so far, bytes in all) when a transfer's turn has come, and during it; may be empty.
using TransferProgress = std::function<void(std::uint64_t current, std::uint64_t total)>;

enum class PushEnd { AlreadyThere, Mounted, Uploaded };

/// Thread-safe: calls may run at once; tokens and connections are shared. Every call throws Denied (401, 403, with a
/// hint how to log in), NotFound (404), TransportError (with the registry's own message), IntegrityError, Cancelled.
class RegistryClient {
 public:
  RegistryClient(RegistryOptions options, std::shared_ptr<CredentialSource> credentials, Logger& logger);
  ~RegistryClient();

  /// The manifest or index that ref's digest (or else tag) names. If by digest, the bytes have it (IntegrityError).
  FetchedManifest fetch_manifest(const ImageRef& ref, std::stop_token stop);
  /// Streams a blob of ref's repository; resumes with Range after a cut. The caller checks the digest (BlobWriter does);
  /// more or fewer bytes than the descriptor says is IntegrityError.
  void fetch_blob(const ImageRef& ref, const Descriptor& blob, const BlobSink& sink,
                  const TransferProgress& progress, std::stop_token stop);

  /// HEAD first; then a mount from `mount_from` (repositories on the same registry, tried in turn); then an upload of
  /// `size` bytes from the descriptor that `open` gives (called again for a retry).
  PushEnd push_blob(const ImageRef& ref, const Descriptor& blob, const std::function<UniqueFd()>& open,
                    const std::vector<std::string>& mount_from, const TransferProgress& progress,
                    std::stop_token stop);
  bool has_manifest(const ImageRef& ref, const Digest& digest, std::stop_token stop);
  /// PUT under a tag or a digest. The registry's Docker-Content-Digest, if given, must agree (IntegrityError).
  void push_manifest(const ImageRef& ref, const std::string& tag_or_digest, const std::string& media_type,
                     const std::string& bytes, std::stop_token stop);
  /// PUT under ref's tag, to replace `expected` (nothing: what is not there yet). Says so to the registry (If-Match,
  /// If-None-Match); false if it then refuses because the tag has moved. Many registries do not look.
  bool replace_manifest(const ImageRef& ref, const std::optional<Digest>& expected, const std::string& media_type,
                        const std::string& bytes, std::stop_token stop);
  /// The digest that a tag has now, or nothing.
  std::optional<Digest> resolve_tag(const ImageRef& ref, std::stop_token stop);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway
