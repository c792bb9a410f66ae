#include "registry/session.h"

#include "base/error.h"
#include "base/strings.h"
#include "registry/answers.h"
#include "registry/challenge.h"
#include "registry/url.h"

namespace slipway {
namespace {

constexpr int kMaxRedirects = 10;

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::string scope_of(const std::string& repository, Access access) {
  return concat("repository:", repository, access == Access::Push ? ":pull,push" : ":pull");
}

}  // namespace

RegistrySession::RegistrySession(const RegistryOptions& options, std::shared_ptr<CredentialSource> credentials,
                                 Logger& logger)
    : options_(options),
      logger_(logger),
      endpoints_(options.plain_http),
      http_(options.connect_timeout_seconds),
      authenticator_(http_, endpoints_, std::move(credentials), logger) {}

ApiCall RegistrySession::call(const ImageRef& ref, Access access, HttpMethod method, const std::string& path,
                              std::string what) const {
  return call_url(ref, access, method,
                  concat(endpoints_.base_url(ref.domain()), "/v2/", ref.repository(), "/", path), std::move(what));
}

ApiCall RegistrySession::call_url(const ImageRef& ref, Access access, HttpMethod method, const std::string& url,
                                  std::string what) const {
  ApiCall out{.host = ref.domain(),
              .scopes = {scope_of(ref.repository(), access)},
              .request = {},
              .what = std::move(what)};
  out.request.method = method;
  out.request.url = url;
  return out;
}

RetryBudget RegistrySession::budget(std::string what) const {
  return RetryBudget(options_.attempts, Seconds(options_.first_delay_seconds), std::move(what), logger_);
}

bool RegistrySession::answered_by_registry(const ApiCall& call, const HttpResponse& response) const {
  return same_origin(response.url, endpoints_.base_url(call.host));
}

HttpResponse RegistrySession::send(const ApiCall& call, const std::stop_token& stop) {
  RetryBudget retries = budget(call.what);
  while (true) {
    try {
      return try_once(call, stop);
    } catch (const TransportError& error) {
      retries.wait_or_rethrow(error, stop);
    }
  }
}

HttpResponse RegistrySession::try_once(const ApiCall& call, const std::stop_token& stop) {
  limits_.wait_until_open(call.host, stop);
  try {
    HttpResponse response = follow(call, authorised(call, call.request, stop), stop);
    if (!may_work_later(response.status)) return response;
    const std::string details = error_details(response);
    const auto retry_after = response.header("retry-after");
    throw BusyError(concat(call.what, ": registry ", call.host, " answered ", response.status,
                           details.empty() ? "" : ": ", details),
                    response.status,
                    retry_after ? parse_retry_after(*retry_after, std::chrono::system_clock::now()) : std::nullopt);
  } catch (const BusyError& busy) {
    // Not this request alone: all threads leave the registry in peace for as long as it asked.
    if (busy.retry_after()) limits_.hold_off(call.host, *busy.retry_after());
    throw;
  }
}

// Credentials go to the registry's own origin only; an upload's location or a redirect may lead elsewhere.
HttpResponse RegistrySession::authorised(const ApiCall& call, const HttpRequest& original,
                                         const std::stop_token& stop) {
  HttpRequest request = original;
  const bool own = same_origin(request.url, endpoints_.base_url(call.host));
  if (own) request.authorization = authenticator_.authorization(call.host, call.scopes, stop);
  HttpResponse response = http_.perform(request, stop);
  logger_.log(LogLevel::Debug, concat(method_name(request.method), " ", without_query(request.url), ": ",
                                      response.status));
  const auto challenge = response.header("www-authenticate");
  if (response.status != 401 || !own || !challenge) return response;
  Secret next =
      authenticator_.answer(call.host, call.scopes, parse_challenges(*challenge), request.authorization, stop);
  if (next.empty()) return response;
  request.authorization = std::move(next);
  response = http_.perform(request, stop);
  logger_.log(LogLevel::Debug, concat(method_name(request.method), " ", without_query(request.url),
                                      " (authorised): ", response.status));
  return response;
}

HttpResponse RegistrySession::follow(const ApiCall& call, HttpResponse response, const std::stop_token& stop) {
  const HttpMethod method = call.request.method;
  for (int hops = 0; is_redirect(response.status); ++hops) {
    const auto location = response.header("location");
    if ((method != HttpMethod::Get && method != HttpMethod::Head) || !location) return response;
    if (hops == kMaxRedirects)
      throw TransportError(concat(call.what, ": more than ", kMaxRedirects, " redirects"), /*retryable=*/false);
    HttpRequest next = call.request;
    next.url = resolve_location(response.url, *location);
    response = authorised(call, next, stop);
  }
  return response;
}

}  // namespace slipway
