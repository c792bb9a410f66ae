// Each exchange runs a curl easy handle in a multi handle of its own: curl_multi_wakeup then ends a wait the
// moment the stop token says so, and the multi handle keeps the connection alive for the next exchange with
// the same server. Idle pairs wait in a pool, one list per origin. (libcurl's share interface could pool
// connections too, but is documented as unsafe between threads.)
#include "registry/http.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "base/strings.h"
#include "base/synchronized.h"
#include "registry/curl_library.h"
#include "registry/endpoint.h"
#include "registry/sigpipe.h"
#include "registry/url.h"

namespace slipway {
namespace {

constexpr std::size_t kMaxHeaderBytes = 256 * 1024;
constexpr std::size_t kMaxErrorBody = 64 * 1024;
constexpr std::size_t kMaxIdlePerOrigin = 8;
constexpr long kBufferBytes = 256 * 1024;

struct CurlPair {
  CURL* easy = libcurl().easy_init();
  CURLM* multi = libcurl().multi_init();
  CurlPair() {
    if (!easy || !multi) throw HostError("libcurl cannot be initialised");
  }
  CurlPair(const CurlPair&) = delete;
  CurlPair& operator=(const CurlPair&) = delete;
  ~CurlPair() {
    libcurl().easy_cleanup(easy);
    libcurl().multi_cleanup(multi);
  }
};

struct HeaderList {
  curl_slist* list = nullptr;
  HeaderList() = default;
  HeaderList(const HeaderList&) = delete;
  HeaderList& operator=(const HeaderList&) = delete;
  ~HeaderList() {
    if (list) libcurl().slist_free_all(list);
  }
  void add(const std::string& line) {
    // A line break would start another header.
    if (line.find_first_of("\r\n") != std::string::npos) throw InvalidInput("line break in an HTTP header");
    curl_slist* longer = libcurl().slist_append(list, line.c_str());
    if (!longer) throw std::bad_alloc();
    list = longer;
  }
};

// What the C callbacks share. They are noexcept: an exception is kept here and thrown again after curl
// returned.
struct Transfer {
  const HttpRequest& request;
  const std::stop_token& stop;
  HttpResponse response;
  std::exception_ptr failure;
  std::uint64_t sent = 0;
  std::size_t header_bytes = 0;
  bool truncated = false;  ///< enough of an error's body was read

  std::uint64_t body_size() const { return request.file ? request.file->size : request.body.reveal().size(); }
};

void take_header(Transfer& transfer, std::string_view line) {
  transfer.header_bytes += line.size();
  if (transfer.header_bytes > kMaxHeaderBytes)
    throw InvalidInput(concat("the ", transfer.request.peer, " sent too many headers"));
  if (line.starts_with("HTTP/")) {  // a new head: after "100 Continue", for example
    const std::size_t space = line.find(' ');
    const auto status =
        space == std::string_view::npos ? std::nullopt : parse_unsigned(line.substr(space + 1, 3));
    transfer.response.status = status ? static_cast<int>(*status) : 0;
    transfer.response.headers.clear();
    return;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  std::string& value = transfer.response.headers[to_lower(trim(line.substr(0, colon)))];
  if (!value.empty()) value += ", ";
  value += trim(line.substr(colon + 1));
}

// False ends the transfer without it being an error.
bool take_body(Transfer& transfer, std::string_view bytes) {
  if (transfer.stop.stop_requested()) return false;
  HttpResponse& response = transfer.response;
  if (response.ok() && transfer.request.on_body) {
    transfer.request.on_body(response, bytes);
    return true;
  }
  const std::size_t limit = response.ok() ? transfer.request.max_answer : kMaxErrorBody;
  if (response.body.size() + bytes.size() > limit) {
    if (response.ok())
      throw InvalidInput(
          concat(without_query(transfer.request.url), ": the answer is larger than ", limit, " bytes"));
    transfer.truncated = true;
    return false;
  }
  response.body += bytes;
  return true;
}

std::size_t give_body(Transfer& transfer, char* buffer, std::size_t room) {
  const std::uint64_t left = transfer.body_size() - transfer.sent;
  const std::size_t want = static_cast<std::size_t>(std::min<std::uint64_t>(left, room));
  if (want == 0) return 0;
  if (!transfer.request.file) {
    std::memcpy(buffer, transfer.request.body.reveal().data() + transfer.sent, want);
    transfer.sent += want;
    return want;
  }
  const FileBody& file = *transfer.request.file;
  ssize_t got = 0;
  do {
    got = ::pread(file.fd, buffer, want, static_cast<off_t>(file.offset + transfer.sent));
  } while (got < 0 && errno == EINTR);
  if (got < 0) throw SystemError(errno, "read", "a blob to upload");
  if (got == 0) throw IntegrityError("the blob to upload is shorter than its descriptor says");
  transfer.sent += static_cast<std::uint64_t>(got);
  if (file.on_sent) file.on_sent(transfer.sent);
  return static_cast<std::size_t>(got);
}

extern "C" {
std::size_t slipway_http_header(char* data, std::size_t size, std::size_t count, void* user) noexcept {
  auto& transfer = *static_cast<Transfer*>(user);
  try {
    take_header(transfer, trim(std::string_view(data, size * count)));
    return size * count;
  } catch (...) {
    transfer.failure = std::current_exception();
    return 0;
  }
}

std::size_t slipway_http_write(char* data, std::size_t size, std::size_t count, void* user) noexcept {
  auto& transfer = *static_cast<Transfer*>(user);
  try {
    return take_body(transfer, std::string_view(data, size * count)) ? size * count : 0;
  } catch (...) {
    transfer.failure = std::current_exception();
    return 0;
  }
}

std::size_t slipway_http_read(char* buffer, std::size_t size, std::size_t count, void* user) noexcept {
  auto& transfer = *static_cast<Transfer*>(user);
  try {
    return transfer.stop.stop_requested() ? CURL_READFUNC_ABORT : give_body(transfer, buffer, size * count);
  } catch (...) {
    transfer.failure = std::current_exception();
    return CURL_READFUNC_ABORT;
  }
}

// curl sends a request again by itself if a kept-alive connection turns out dead. For small bodies that is
// welcome. Of a file the server may have kept a part, and would append the second copy to it: the caller must
// find out first.
int slipway_http_seek(void* user, curl_off_t offset, int origin) noexcept {
  auto& transfer = *static_cast<Transfer*>(user);
  if (origin != SEEK_SET || offset != 0 || (transfer.request.file && transfer.sent > 0))
    return CURL_SEEKFUNC_FAIL;
  transfer.sent = 0;
  return CURL_SEEKFUNC_OK;
}
}

bool has_body(HttpMethod method) {
  return method == HttpMethod::Post || method == HttpMethod::Put || method == HttpMethod::Patch;
}

void set_method(CURL* easy, const Transfer& transfer) {
  const HttpMethod method = transfer.request.method;
  if (method == HttpMethod::Head) {
    libcurl().easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else if (has_body(method)) {
    if (transfer.body_size() > static_cast<std::uint64_t>(std::numeric_limits<curl_off_t>::max()))
      throw InvalidInput("a request body is too large");
    libcurl().easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    libcurl().easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(transfer.body_size()));
    libcurl().easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method_name(method).data());
  } else if (method == HttpMethod::Delete) {
    libcurl().easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "DELETE");
  }
}

void set_headers(CURL* easy, const HttpRequest& request, HeaderList& headers) {
  for (const std::string& line : request.headers) headers.add(line);
  if (!request.authorization.empty()) headers.add(concat("Authorization: ", request.authorization.reveal()));
  headers.add("Expect:");  // no wait for "100 Continue", which many registries never send
  libcurl().easy_setopt(easy, CURLOPT_HTTPHEADER, headers.list);
}

void set_limits(CURL* easy, const HttpRequest& request, const Url& url, int connect_timeout) {
  libcurl().easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  libcurl().easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  libcurl().easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  libcurl().easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  libcurl().easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  libcurl().easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  libcurl().easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, static_cast<long>(connect_timeout));
  libcurl().easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
  libcurl().easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, static_cast<long>(request.stall_seconds));
  libcurl().easy_setopt(easy, CURLOPT_BUFFERSIZE, kBufferBytes);
  libcurl().easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, kBufferBytes);
  libcurl().easy_setopt(easy, CURLOPT_USERAGENT, "slipway");
  // A proxy cannot reach this machine's loopback; Go's clients leave it out as well.
  if (is_loopback(url.host)) libcurl().easy_setopt(easy, CURLOPT_PROXY, "");
}

void set_callbacks(CURL* easy, Transfer& transfer, char* error_text) {
  libcurl().easy_setopt(easy, CURLOPT_ERRORBUFFER, error_text);
  libcurl().easy_setopt(easy, CURLOPT_HEADERFUNCTION, &slipway_http_header);
  libcurl().easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
  libcurl().easy_setopt(easy, CURLOPT_WRITEFUNCTION, &slipway_http_write);
  libcurl().easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
  libcurl().easy_setopt(easy, CURLOPT_READFUNCTION, &slipway_http_read);
  libcurl().easy_setopt(easy, CURLOPT_READDATA, &transfer);
  libcurl().easy_setopt(easy, CURLOPT_SEEKFUNCTION, &slipway_http_seek);
  libcurl().easy_setopt(easy, CURLOPT_SEEKDATA, &transfer);
}

// Runs the exchange to its end. CURLE_ABORTED_BY_CALLBACK stands for "stopped".
CURLcode run(const CurlPair& pair, const std::stop_token& stop) {
  if (libcurl().multi_add_handle(pair.multi, pair.easy) != CURLM_OK)
    throw HostError("libcurl refused a transfer");
  const auto remove = [&pair](void*) { libcurl().multi_remove_handle(pair.multi, pair.easy); };
  const std::unique_ptr<CURL, decltype(remove)> attached(pair.easy, remove);
  const std::stop_callback wake(stop, [&pair] { libcurl().multi_wakeup(pair.multi); });
  int running = 1;
  while (true) {
    if (stop.stop_requested()) return CURLE_ABORTED_BY_CALLBACK;
    if (libcurl().multi_perform(pair.multi, &running) != CURLM_OK) return CURLE_FAILED_INIT;
    if (running == 0) break;
    if (libcurl().multi_poll(pair.multi, nullptr, 0, 1000, nullptr) != CURLM_OK) return CURLE_FAILED_INIT;
  }
  int queued = 0;
  while (const CURLMsg* message = libcurl().multi_info_read(pair.multi, &queued))
    if (message->msg == CURLMSG_DONE) return message->data.result;
  return CURLE_FAILED_INIT;
}

bool may_pass(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_PARTIAL_FILE:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_SEND_FAIL_REWIND:
    case CURLE_RECV_ERROR:
    case CURLE_WEIRD_SERVER_REPLY:
      return true;
    default:
      return false;
  }
}

[[noreturn]] void throw_transport(CURLcode code, const Url& url, std::string_view peer,
                                  std::string_view curl_says) {
  std::string_view what = curl_says.empty() ? libcurl().easy_strerror(code) : curl_says;
  if (code == CURLE_SEND_FAIL_REWIND) what = "the connection was cut during an upload";
  const bool unreachable = code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST;
  const bool registry = peer == "registry";
  TransportError error(concat(unreachable ? "cannot reach " : "transfer with ", peer, " ", url.host_port(),
                              unreachable ? ": " : " failed: ", what),
                       may_pass(code));
  if (code == CURLE_COULDNT_CONNECT && is_loopback(url.host)) {
    error.set_hint(concat("is a ", peer, " running on this machine, port ", url.port, "?"));
  } else if (code == CURLE_SSL_CONNECT_ERROR && registry) {
    error.set_hint(
        concat("if ", url.host_port(), " speaks plain HTTP, it must be named as an insecure registry"));
  } else if (code == CURLE_PEER_FAILED_VERIFICATION) {
    error.set_hint(
        concat("add the ", peer, "'s certificate authority to the system's (update-ca-certificates)"));
  } else if (code == CURLE_COULDNT_RESOLVE_HOST) {
    error.set_hint(registry ? "check the registry's name in the image reference"
                            : "check the name in the URL");
  } else if (code == CURLE_COULDNT_CONNECT && url.scheme == "http" && registry) {
    error.set_hint(
        concat("plain HTTP was used for ", url.host_port(), ", as it is named as an insecure registry"));
  }
  throw error;
}

}  // namespace

std::string_view method_name(HttpMethod method) {
  switch (method) {
    case HttpMethod::Get:
      return "GET";
    case HttpMethod::Head:
      return "HEAD";
    case HttpMethod::Post:
      return "POST";
    case HttpMethod::Put:
      return "PUT";
    case HttpMethod::Patch:
      return "PATCH";
    case HttpMethod::Delete:
      return "DELETE";
  }
  return "GET";
}

std::optional<std::string> HttpResponse::header(const std::string& lower_case_name) const {
  const auto it = headers.find(lower_case_name);
  if (it == headers.end()) return std::nullopt;
  return it->second;
}

struct HttpClient::Impl {
  int connect_timeout;
  Synchronized<std::map<std::string, std::vector<std::unique_ptr<CurlPair>>>> idle;

  std::unique_ptr<CurlPair> take(const std::string& origin) {
    {
      auto pools = idle.lock();
      auto& pool = (*pools)[origin];
      if (!pool.empty()) {
        std::unique_ptr<CurlPair> pair = std::move(pool.back());
        pool.pop_back();
        return pair;
      }
    }
    return std::make_unique<CurlPair>();
  }

  void give_back(const std::string& origin, std::unique_ptr<CurlPair> pair) {
    libcurl().easy_reset(pair->easy);
    auto pools = idle.lock();
    auto& pool = (*pools)[origin];
    if (pool.size() < kMaxIdlePerOrigin) pool.push_back(std::move(pair));
  }
};

HttpClient::HttpClient(int connect_timeout_seconds) : impl_(std::make_unique<Impl>()) {
  impl_->connect_timeout = connect_timeout_seconds;
}
HttpClient::~HttpClient() = default;

HttpResponse HttpClient::perform(const HttpRequest& request, std::stop_token stop) {
  if (stop.stop_requested()) throw Cancelled();
  const Url url = parse_url(request.url);
  std::unique_ptr<CurlPair> pair = impl_->take(url.origin());
  const SigpipeHeldBack no_sigpipe;  // OpenSSL writes to sockets without MSG_NOSIGNAL
  Transfer transfer{.request = request, .stop = stop};
  transfer.response.url = request.url;
  std::array<char, CURL_ERROR_SIZE> error_text{};
  HeaderList headers;
  libcurl().easy_setopt(pair->easy, CURLOPT_URL, request.url.c_str());
  set_limits(pair->easy, request, url, impl_->connect_timeout);
  set_callbacks(pair->easy, transfer, error_text.data());
  set_headers(pair->easy, request, headers);
  set_method(pair->easy, transfer);
  const CURLcode code = run(*pair, stop);

  if (transfer.failure) std::rethrow_exception(transfer.failure);
  if (stop.stop_requested() && code != CURLE_OK) throw Cancelled();
  // A server may refuse an upload and hang up before it has read all of it: its refusal is the answer.
  const bool refused_early =
      transfer.response.status >= 400 && (code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR);
  if (code != CURLE_OK && !transfer.truncated && !refused_early)
    throw_transport(code, url, request.peer, error_text.data());
  impl_->give_back(url.origin(), std::move(pair));
  return std::move(transfer.response);
}

}  // namespace slipway
