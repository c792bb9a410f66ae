#pragma once
// Blobs at signed addresses of a store like Azure's: whoever has the address may read, or write, that one
// blob. The addresses are secrets: messages never show their queries.
#include <cstdint>
#include <stop_token>
#include <string>

#include "cache/patient_http.h"
#include "content/blob_store.h"
#include "registry/client.h"

namespace slipway {

/// Thread-safe. All throw Denied for an address that is refused (they are valid for minutes only),
/// TransportError, Cancelled.
class SignedBlobs {
 public:
  /// `http` must outlive it. Files larger than `block_bytes` are written in blocks of that size.
  explicit SignedBlobs(PatientHttp& http, std::uint64_t block_bytes = std::uint64_t{64} << 20)
      : http_(http), block_bytes_(block_bytes) {}

  /// A small one. Throws NotFound, InvalidInput if it is larger than `limit`.
  std::string read(const std::string& url, std::size_t limit, const std::string& what, std::stop_token stop);
  /// A large one of `size` bytes; a cut transfer goes on where it stopped. Throws NotFound, IntegrityError if
  /// it is larger.
  void download(const std::string& url, BlobWriter& into, std::uint64_t size, const std::string& what,
                const TransferProgress& progress, std::stop_token stop);

  void write(const std::string& url, std::string bytes, const std::string& what, std::stop_token stop);
  void upload(const std::string& url, int fd, std::uint64_t size, const std::string& what,
              std::stop_token stop);

 private:
  void put(const std::string& what, const std::function<HttpRequest()>& request, const std::stop_token& stop);

  PatientHttp& http_;
  const std::uint64_t block_bytes_;
};

}  // namespace slipway
