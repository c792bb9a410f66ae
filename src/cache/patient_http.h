#pragma once
// Exchanges with servers that may be busy: tried again as registries are, and as long as they ask to wait.
// For servers whose refusals are told by their status and Twirp's error body.
#include <functional>
#include <stop_token>
#include <string>

#include "base/logger.h"
#include "registry/http.h"
#include "registry/retry.h"

namespace slipway {

/// Thread-safe.
class PatientHttp {
 public:
  struct Options {
    Seconds timeout{600};  ///< after so long nothing is tried again
    Seconds first_delay{0.5};
  };
  /// `logger` must outlive it.
  PatientHttp(Options options, Logger& logger) : options_(options), logger_(logger) {}

  struct Call {
    std::string what;  ///< for messages: "layer sha256:12…"
    std::string server;
    /// Called for each try.
    std::function<HttpRequest()> request;
  };
  /// Any answer but those that mean "later" (429, 5xx) and "no" (401, 403). Throws Denied, TransportError,
  /// Cancelled, and what the request's callbacks throw.
  HttpResponse send(const Call& call, const std::stop_token& stop);

 private:
  HttpResponse try_once(const Call& call, const std::stop_token& stop);

  const Options options_;
  Logger& logger_;
  HttpClient http_{15};
};

/// Twirp's error body; empty where there is none. Printable and short.
struct TwirpError {
  std::string code, message;
};
TwirpError twirp_error(const HttpResponse& response);

}  // namespace slipway
