#pragma once
// One HTTP exchange at a time over pooled keep-alive connections (libcurl, which stays in http.cc). It
// follows no redirects, retries nothing and knows no registries: session.h does.
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"

namespace slipway {

enum class HttpMethod { Get, Head, Post, Put, Patch, Delete };
std::string_view method_name(HttpMethod method);

struct HttpResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  ///< lower-case names; repeated ones joined with ", "
  std::string body;                            ///< empty if on_body took it
  std::string url;                             ///< that answered
  bool ok() const { return status >= 200 && status < 300; }
  /// The value, or nothing.
  std::optional<std::string> header(const std::string& lower_case_name) const;
};

/// A request body read from a file with pread: [offset, offset + size) of `fd`, which is borrowed.
struct FileBody {
  int fd = -1;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::function<void(std::uint64_t sent)> on_sent;  ///< bytes of this body so far; may be empty
};

struct HttpRequest {
  HttpMethod method = HttpMethod::Get;
  std::string url;
  std::string_view peer = "registry";  ///< what messages call the other side
  std::vector<std::string> headers;    ///< "Name: value"
  Secret authorization;                ///< value of the Authorization header; none if empty
  Secret body;                         ///< for Post, Put and Patch (a token request's body is secret)
  std::optional<FileBody> file;        ///< instead of `body`
  std::size_t max_answer = std::size_t{4} << 20;  ///< more than that in a buffered 2xx body is InvalidInput
  /// Takes the body of a 2xx answer piece by piece, with the answer's head. What it throws ends the transfer
  /// and comes out of perform().
  std::function<void(const HttpResponse& head, std::string_view bytes)> on_body;
  int stall_seconds = 60;  ///< no byte in either direction for so long is a cut connection
};

/// Thread-safe.
class HttpClient {
 public:
  explicit HttpClient(int connect_timeout_seconds);
  ~HttpClient();
  /// Any status is an answer. Throws TransportError if there was none, Cancelled at once when stopped, and
  /// whatever the callbacks threw.
  HttpResponse perform(const HttpRequest& request, std::stop_token stop);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway
