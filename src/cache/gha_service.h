#pragma once
// The cache service of GitHub Actions: entries under keys, each written once and never changed.
#include <cstdint>
#include <memory>
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
  virtual ~GhaService() = default;

  struct Entry {
    std::string key;
    Secret url;  ///< to read it from (signed_blobs.h)
  };
  /// The entry of that very key.
  std::optional<Entry> find(const std::string& key, const std::stop_token& stop);
  /// The newest whose key begins so: of the run's own scope if it has any, else of those that it may read.
  std::optional<Entry> find_newest(const std::string& prefix, const std::stop_token& stop);

  /// Takes the key and tells where to write to; nothing if the key is taken. Nobody sees an entry before it
  /// is finished.
  virtual std::optional<Secret> reserve(const std::string& key, const std::stop_token& stop) = 0;
  virtual void write(const Secret& place, const std::string& bytes, const std::string& what,
                     const std::stop_token& stop) = 0;
  virtual void upload(const Secret& place, int fd, std::uint64_t size, const std::string& what,
                      const std::stop_token& stop) = 0;
  /// False if the service does not take it; perhaps because a try whose answer was lost had finished it.
  virtual bool finish(const std::string& key, const Secret& place, std::uint64_t size,
                      const std::stop_token& stop) = 0;

 protected:
  enum class Match { Whole, Prefix };
  /// What the service says is there, whether it fits or not.
  virtual std::optional<Entry> look_up(const std::string& key, Match match, const std::stop_token& stop) = 0;
};

/// The one of github.com. `http` must outlive it. Throws TransportError for what is no http(s) address.
std::unique_ptr<GhaService> gha_service_v2(const std::string& url, const Secret& token, PatientHttp& http);
/// The one before it, which GitHub's servers for enterprises, Gitea and Forgejo have.
std::unique_ptr<GhaService> gha_service_v1(const std::string& url, const Secret& token, PatientHttp& http);

/// For both: entries of another version are not seen. This one is BuildKit's, so that each finds the other's.
const std::string& gha_entry_version();
/// The address with one "/" less, and `path`. Throws TransportError for what is no http(s) address.
std::string gha_address(std::string url, std::string_view path);
/// Throws what an answer that was not expected means.
[[noreturn]] void refuse_gha_answer(const HttpResponse& response, const std::string& key);

inline constexpr const char* kGhaServer = "cache service";

}  // namespace slipway
