#include "registry/auth.h"

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "manifest/json_reader.h"
#include "registry/answers.h"
#include "registry/retry.h"
#include "registry/url.h"

namespace slipway {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxTokenAnswer = std::size_t{1} << 20;
constexpr std::size_t kMaxTokens = 1024;
constexpr std::int64_t kDefaultLifetime = 60;  // the token specification's default
constexpr std::int64_t kMaxLifetime = 3600;

// Only what may stand in a header: RFC 6750's b64token, and a little more.
bool is_header_safe(std::string_view token) {
  return !token.empty() && std::ranges::all_of(token, [](char c) { return c > 0x20 && c < 0x7f; });
}

// A registry on TLS must not make us show a password in clear text; one on plain HTTP may do so to itself, and to hosts
// that the user allowed it for.
bool may_see_credentials(const Url& realm, const std::string& registry_url, const Endpoints& endpoints) {
  if (realm.scheme == "https") return true;
  const Url registry = parse_url(registry_url);
  return registry.scheme == "http" && (realm.host == registry.host || endpoints.plain_http(realm.host_port()));
}

struct TokenAnswer {
  Secret token;
  std::int64_t lifetime = kDefaultLifetime;
};

TokenAnswer read_token(const std::string& body, const std::string& host) {
  const JsonDocument document(body, concat("token for ", host));
  const JsonNode root = document.root();
  std::string token = root.string_or("token");
  if (token.empty()) token = root.string_or("access_token");
  if (!is_header_safe(token))
    throw TransportError(concat("the token server of ", host, " sent no usable token"), /*retryable=*/false);
  const std::int64_t lifetime = root.integer_or("expires_in", kDefaultLifetime);
  return {.token = Secret(std::move(token)), .lifetime = std::clamp<std::int64_t>(lifetime, 0, kMaxLifetime)};
}

// docker's flow: GET with basic credentials, or anonymously.
HttpRequest get_request(const std::string& realm, const std::string& service, const Scopes& scopes,
                        const std::optional<Credentials>& credentials) {
  HttpRequest request;
  request.url = realm;
  if (!service.empty()) request.url = with_query(request.url, "service", service);
  for (const std::string& scope : scopes) request.url = with_query(request.url, "scope", scope);
  if (credentials) {
    request.url = with_query(request.url, "account", credentials->username);
    request.authorization = Secret(
        "Basic " + base64_encode(concat(credentials->username, ":", credentials->password.reveal())));
  }
  return request;
}

// OAuth2: an identity token is exchanged for an access token.
HttpRequest refresh_request(const std::string& realm, const std::string& service, const Scopes& scopes,
                            const Secret& identity_token) {
  HttpRequest request;
  request.method = HttpMethod::Post;
  request.url = realm;
  request.headers.emplace_back("Content-Type: application/x-www-form-urlencoded");
  request.body = Secret(concat("grant_type=refresh_token&client_id=slipway&service=", percent_encode(service),
                               "&scope=", percent_encode(join(scopes, " ")),
                               "&refresh_token=", percent_encode(identity_token.reveal())));
  return request;
}

}  // namespace

Authenticator::Authenticator(HttpClient& http, const Endpoints& endpoints,
                             std::shared_ptr<CredentialSource> credentials, Logger& logger)
    : http_(http), endpoints_(endpoints), credentials_(std::move(credentials)), logger_(logger) {}

Secret Authenticator::authorization(const std::string& host, const Scopes& scopes, const std::stop_token& stop) {
  std::optional<Demand> demand;
  {
    const std::scoped_lock lock(mutex_);
    if (const auto it = demands_.find(host); it != demands_.end()) demand = it->second;
  }
  return demand ? respond(host, scopes, *demand, stop) : Secret();
}

Secret Authenticator::answer(const std::string& host, const Scopes& scopes,
                             const std::vector<AuthChallenge>& challenges, const Secret& rejected,
                             const std::stop_token& stop) {
  const auto of_scheme = [&](std::string_view scheme) {
    return std::ranges::find(challenges, scheme, &AuthChallenge::scheme);
  };
  Demand demand;
  if (auto bearer = of_scheme("bearer"); bearer != challenges.end() && bearer->params.contains("realm")) {
    demand.kind = Demand::Kind::Bearer;
    demand.realm = bearer->params.at("realm");
    if (const auto service = bearer->params.find("service"); service != bearer->params.end())
      demand.service = service->second;
  } else if (of_scheme("basic") == challenges.end()) {
    return {};
  }
  forget(host, scopes, rejected);
  {
    const std::scoped_lock lock(mutex_);
    demands_[host] = demand;
  }
  Secret next = respond(host, scopes, demand, stop);
  return next.reveal() == rejected.reveal() ? Secret() : std::move(next);
}

Secret Authenticator::respond(const std::string& host, const Scopes& scopes, const Demand& demand,
                              const std::stop_token& stop) {
  return demand.kind == Demand::Kind::Basic ? basic(host) : bearer(host, scopes, demand, stop);
}

Secret Authenticator::basic(const std::string& host) {
  const auto credentials = find_credentials(host);
  if (!credentials || credentials->username.empty()) return {};
  return Secret("Basic " + base64_encode(concat(credentials->username, ":", credentials->password.reveal())));
}

Secret Authenticator::bearer(const std::string& host, const Scopes& scopes, const Demand& demand,
                             const std::stop_token& stop) {
  const TokenKey key{host, scopes};
  {
    std::unique_lock lock(mutex_);
    if (!fetched_.wait(lock, stop, [&] { return !tokens_[key].being_fetched; })) throw Cancelled();
    TokenSlot& slot = tokens_[key];
    if (slot.token && slot.token->expires > Clock::now())
      return Secret(concat("Bearer ", slot.token->value.reveal()));
    slot.being_fetched = true;
  }
  std::optional<Token> token;
  const auto publish = [&](void*) {
    {
      const std::scoped_lock lock(mutex_);
      // A long-lived client talks to many repositories: expired tokens go when there are too many.
      if (tokens_.size() > kMaxTokens)
        std::erase_if(tokens_, [](const auto& entry) {
          return !entry.second.being_fetched && (!entry.second.token || entry.second.token->expires < Clock::now());
        });
      tokens_[key] = TokenSlot{.token = token, .being_fetched = false};
    }
    fetched_.notify_all();
  };
  const std::unique_ptr<Authenticator, decltype(publish)> at_end(this, publish);
  token = fetch_token(host, scopes, demand, stop);
  return Secret(concat("Bearer ", token->value.reveal()));
}

Authenticator::Token Authenticator::fetch_token(const std::string& host, const Scopes& scopes, const Demand& demand,
                                                const std::stop_token& stop) {
  const std::optional<Credentials> credentials = find_credentials(host);
  const Url realm = parse_url(demand.realm);
  if (credentials && !may_see_credentials(realm, endpoints_.base_url(host), endpoints_))
    throw Denied(concat("registry ", host, " names a token server on plain http (", realm.origin(),
                        "); the credentials stay here"));

  const bool identity = credentials && credentials->username.empty();
  HttpRequest request = identity ? refresh_request(demand.realm, demand.service, scopes, credentials->password)
                                 : get_request(demand.realm, demand.service, scopes, credentials);
  request.max_answer = kMaxTokenAnswer;
  const Clock::time_point asked = Clock::now();
  const HttpResponse response = http_.perform(request, stop);
  logger_.log(LogLevel::Debug, concat("token for ", host, " [", join(scopes, " "), "] from ", realm.origin(), ": ",
                                      response.status));
  const std::string what = concat("getting a token for ", host);
  if (may_work_later(response.status)) {
    const auto retry_after = response.header("retry-after");
    throw BusyError(concat(what, ": ", realm.host_port(), " answered ", response.status), response.status,
                    retry_after ? parse_retry_after(*retry_after, std::chrono::system_clock::now()) : std::nullopt);
  }
  if (response.status == 400 || response.status == 401 || response.status == 403) {
    const std::string details = error_details(response);
    const std::scoped_lock lock(mutex_);
    known_credentials_.erase(host);
    throw_denied(concat(what, ": ", realm.host_port(), " refused (", response.status, ")", details.empty() ? "" : ": ",
                        details),
                 host);
  }
  if (!response.ok()) throw_refusal(response, host, what);
  TokenAnswer answer = read_token(response.body, host);
  // Not used in its last seconds: a request made then might be looked at too late.
  const std::int64_t margin = std::min<std::int64_t>(10, answer.lifetime / 2);
  return {.value = std::move(answer.token), .expires = asked + std::chrono::seconds(answer.lifetime - margin)};
}

std::optional<Credentials> Authenticator::find_credentials(const std::string& host) {
  {
    const std::scoped_lock lock(mutex_);
    if (const auto it = known_credentials_.find(host); it != known_credentials_.end()) return it->second;
  }
  std::optional<Credentials> found = credentials_ ? credentials_->find(host) : std::nullopt;  // may run a helper
  if (found && found->password.empty() && found->username.empty()) found.reset();
  const std::scoped_lock lock(mutex_);
  known_credentials_[host] = found;
  return found;
}

// A token that a registry rejects before its time is dropped, unless another thread has put a new one in its place.
void Authenticator::forget(const std::string& host, const Scopes& scopes, const Secret& rejected) {
  const std::scoped_lock lock(mutex_);
  const auto it = tokens_.find({host, scopes});
  if (it == tokens_.end() || !it->second.token) return;
  if (concat("Bearer ", it->second.token->value.reveal()) == rejected.reveal()) it->second.token.reset();
}

}  // namespace slipway
