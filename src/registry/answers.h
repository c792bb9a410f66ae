#pragma once
// What a registry's answer means: its error body, and the exception that stands for a status.
#include <string>
#include <string_view>

#include "registry/http.h"

namespace slipway {

/// The body's {"errors":[{code,message}…]} as "CODE: message; …", else the first line of a text body; may be empty.
/// Printable and short whatever the server sent.
std::string error_details(const HttpResponse& response);
bool has_error_code(const HttpResponse& response, std::string_view code);

/// 408, 429 and 5xx (but 501): the same request may work later.
bool may_work_later(int status);

/// Throws what a status that the caller did not expect means: Denied with a hint how to log in to `host` (401, 403),
/// NotFound (404), TransportError (all others). `what` says what was tried: "pulling REF".
[[noreturn]] void throw_refusal(const HttpResponse& response, const std::string& host, std::string_view what);
[[noreturn]] void throw_denied(std::string_view message, const std::string& host);

/// What a log or message may show of text from outside: control characters replaced, cut at `limit` bytes.
std::string printable(std::string_view text, std::size_t limit = 300);

}  // namespace slipway
