#include "cache/patient_http.h"

#include <chrono>

#include "base/error.h"
#include "base/strings.h"
#include "manifest/json_reader.h"
#include "registry/answers.h"

namespace slipway {

namespace {

using Clock = std::chrono::steady_clock;
constexpr int kTriesOfFailing = 5;
/// Limits are by the minute.
constexpr int kTriesOfLimited = 8;

std::string after_colon(const std::string& details) {
  return details.empty() ? std::string() : concat(": ", details);
}

}  // namespace

TwirpError twirp_error(const HttpResponse& response) {
  if (!response.body.starts_with('{')) return {};
  try {
    const JsonDocument document(response.body, "error");
    const JsonNode root = document.root();
    return {.code = printable(root.string_or("code")),
            .message = printable(root.string_or("msg", root.string_or("message")))};
  } catch (const InvalidInput&) {
    return {};  // the status is enough
  }
}

HttpResponse PatientHttp::try_once(const Call& call, const std::stop_token& stop) {
  HttpRequest request = call.request();
  request.peer = call.server;
  HttpResponse response = http_.perform(request, stop);
  const std::string answered = concat(call.what, ": the ", call.server, " answered ", response.status,
                                      after_colon(twirp_error(response).message));
  if (response.status == 401 || response.status == 403) throw Denied(answered);
  if (!may_work_later(response.status)) return response;
  const auto retry_after = response.header("retry-after");
  throw BusyError(
      answered, response.status,
      retry_after ? parse_retry_after(*retry_after, std::chrono::system_clock::now()) : std::nullopt);
}

HttpResponse PatientHttp::send(const Call& call, const std::stop_token& stop) {
  RetryBudget failing(kTriesOfFailing, options_.first_delay, call.what, logger_);
  RetryBudget limited(kTriesOfLimited, options_.first_delay * 2, call.what, logger_);
  const Clock::time_point begin = Clock::now();
  while (true) {
    try {
      return try_once(call, stop);
    } catch (const TransportError& e) {
      if (Clock::now() - begin >= options_.timeout) throw;
      (e.status() == 429 ? limited : failing).wait_or_rethrow(e, stop);
    }
  }
}

}  // namespace slipway
