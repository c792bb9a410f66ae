#pragma once
// Requests to one registry's API: authorised, redirected, paced and retried. What an answer means for blobs and
// manifests is the callers' (blob_fetch.cc, blob_push.cc, client.cc).
#include <functional>
#include <stop_token>
#include <string>

#include "manifest/image_ref.h"
#include "registry/auth.h"
#include "registry/client.h"
#include "registry/endpoint.h"
#include "registry/host_limits.h"
#include "registry/http.h"
#include "registry/retry.h"

namespace slipway {

enum class Access { Pull, Push };

struct ApiCall {
  std::string host;     ///< a reference's domain
  Scopes scopes;
  HttpRequest request;
  std::string what;     ///< for messages: "pulling docker.io/library/alpine:latest"
};

/// Thread-safe.
class RegistrySession {
 public:
  RegistrySession(const RegistryOptions& options, std::shared_ptr<CredentialSource> credentials, Logger& logger);

  /// A call on `ref`'s repository; `path` follows /v2/REPOSITORY/.
  ApiCall call(const ImageRef& ref, Access access, HttpMethod method, const std::string& path, std::string what) const;
  /// The same for a whole URL that the registry named (an upload's location).
  ApiCall call_url(const ImageRef& ref, Access access, HttpMethod method, const std::string& url,
                   std::string what) const;

  /// One try: authorises, follows redirects of GET and HEAD. Answers that may be better later are thrown as BusyError,
  /// all others are returned.
  HttpResponse try_once(const ApiCall& call, const std::stop_token& stop);
  /// As often as the options say.
  HttpResponse send(const ApiCall& call, const std::stop_token& stop);

  RetryBudget budget(std::string what) const;
  HostLimits& limits() { return limits_; }
  Logger& logger() { return logger_; }
  /// True if `response` came from where `call` went, not from where a redirect led.
  bool answered_by_registry(const ApiCall& call, const HttpResponse& response) const;

 private:
  HttpResponse authorised(const ApiCall& call, const HttpRequest& request, const std::stop_token& stop);
  HttpResponse follow(const ApiCall& call, HttpResponse response, const std::stop_token& stop);

  const RegistryOptions options_;
  Logger& logger_;
  const Endpoints endpoints_;
  HttpClient http_;
  Authenticator authenticator_;
  HostLimits limits_;
};

}  // namespace slipway
