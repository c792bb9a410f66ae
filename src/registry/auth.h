#pragma once
// Who we are to a registry: basic credentials, or bearer tokens got from the realm that its challenge names
// (distribution-spec, docker "token" and "oauth2" flows). Tokens are kept per (host, scopes) until shortly before they
// expire; threads that need the same one wait for one request.
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/logger.h"
#include "base/secret.h"
#include "registry/challenge.h"
#include "registry/credentials.h"
#include "registry/endpoint.h"
#include "registry/http.h"

namespace slipway {

/// "repository:library/alpine:pull"; sorted, without repetitions.
using Scopes = std::vector<std::string>;

/// Thread-safe.
class Authenticator {
 public:
  Authenticator(HttpClient& http, const Endpoints& endpoints, std::shared_ptr<CredentialSource> credentials,
                Logger& logger);

  /// The Authorization value to send with a first try; empty while the host has not asked for any.
  Secret authorization(const std::string& host, const Scopes& scopes, const std::stop_token& stop);
  /// After a 401 that `rejected` (may be empty) did not prevent: the value for one more try, or empty if there is
  /// nothing else to offer. Throws Denied if the token server refuses.
  Secret answer(const std::string& host, const Scopes& scopes, const std::vector<AuthChallenge>& challenges,
                const Secret& rejected, const std::stop_token& stop);

 private:
  /// What a host asked for last.
  struct Demand {
    enum class Kind { Basic, Bearer } kind = Kind::Basic;
    std::string realm, service;
  };
  struct Token {
    Secret value;
    std::chrono::steady_clock::time_point expires;
  };
  struct TokenSlot {
    std::optional<Token> token;
    bool being_fetched = false;
  };
  using TokenKey = std::pair<std::string, Scopes>;

  Secret respond(const std::string& host, const Scopes& scopes, const Demand& demand, const std::stop_token& stop);
  Secret bearer(const std::string& host, const Scopes& scopes, const Demand& demand, const std::stop_token& stop);
  Secret basic(const std::string& host);
  Token fetch_token(const std::string& host, const Scopes& scopes, const Demand& demand, const std::stop_token& stop);
  std::optional<Credentials> find_credentials(const std::string& host);
  void forget(const std::string& host, const Scopes& scopes, const Secret& rejected);

  HttpClient& http_;
  const Endpoints& endpoints_;
  const std::shared_ptr<CredentialSource> credentials_;  ///< shared with whoever made the client
  Logger& logger_;

  // The mutex belongs to the condition variable; the maps are reached with it held, never during I/O.
  std::mutex mutex_;
  std::condition_variable_any fetched_;
  std::map<std::string, Demand> demands_;
  std::map<TokenKey, TokenSlot> tokens_;
  std::map<std::string, std::optional<Credentials>> known_credentials_;
};

}  // namespace slipway
