#include "registry/answers.h"

#include <vector>

#include "base/error.h"
#include "base/strings.h"
#include "manifest/json_reader.h"
#include "registry/url.h"

namespace slipway {
namespace {

struct RegistryFault {
  std::string code, message;
};

std::vector<RegistryFault> read_faults(const std::string& body) {
  std::vector<RegistryFault> out;
  if (body.empty() || body.front() != '{') return out;
  try {
    const JsonDocument document(body, "error");
    const auto errors = document.root().find("errors");
    if (!errors) return out;
    for (const JsonNode& node : errors->elements()) {
      if (out.size() == 5) break;
      out.push_back({node.string_or("code"), node.string_or("message")});
    }
  } catch (const InvalidInput&) {
    // An error body of another form says nothing; the status is enough.
  }
  return out;
}

}  // namespace

std::string printable(std::string_view text, std::size_t limit) {
  std::string out;
  for (const char c : text.substr(0, limit)) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte < 0x20 || byte == 0x7f ? ' ' : c;
  }
  // A character cut in half at the limit is dropped.
  if (text.size() > limit) {
    while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0xc0) == 0x80) out.pop_back();
    if (!out.empty() && static_cast<unsigned char>(out.back()) >= 0xc0) out.pop_back();
    out += "…";
  }
  return std::string(trim(out));
}

std::string error_details(const HttpResponse& response) {
  std::vector<std::string> parts;
  for (const RegistryFault& fault : read_faults(response.body))
    parts.push_back(fault.message.empty() ? fault.code : concat(fault.code, ": ", fault.message));
  if (!parts.empty()) return printable(join(parts, "; "));
  const std::string type = response.header("content-type").value_or("");
  if (!type.starts_with("text/plain")) return {};
  return printable(std::string_view(response.body).substr(0, response.body.find('\n')));
}

bool has_error_code(const HttpResponse& response, std::string_view code) {
  for (const RegistryFault& fault : read_faults(response.body))
    if (fault.code == code) return true;
  return false;
}

bool may_work_later(int status) {
  return status == 408 || status == 429 || (status >= 500 && status <= 599 && status != 501);
}

void throw_denied(std::string_view message, const std::string& host) {
  Denied error{std::string(message)};
  error.set_hint(concat("log in with: docker login ", host, " (slipway reads ~/.docker/config.json)"));
  throw error;
}

void throw_refusal(const HttpResponse& response, const std::string& host, std::string_view what) {
  const std::string details = error_details(response);
  const std::string tail = details.empty() ? std::string() : concat(": ", details);
  if (response.status == 401 || response.status == 403)
    throw_denied(concat(what, ": ", host, " refused (", response.status, ")", tail), host);
  if (response.status == 404) throw NotFound(concat(what, ": not found in the registry", tail));
  throw TransportError(concat(what, ": registry ", host, " answered ", response.status, tail),
                       may_work_later(response.status), response.status);
}

}  // namespace slipway
