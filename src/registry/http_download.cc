#include "registry/http_download.h"

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "registry/answers.h"
#include "registry/curl_library.h"
#include "registry/host_limits.h"
#include "registry/http.h"
#include "registry/retry.h"
#include "registry/url.h"

namespace slipway {
namespace {

constexpr int kMaxRedirects = 10;
// Progress worth a fresh count of tries, as for blobs.
constexpr std::uint64_t kWorthwhile = std::uint64_t{1} << 20;

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/// Thrown out of a transfer whose head says that the body is the one at hand.
struct SameVersion {};

/// One file, over as many tries as it takes. One owner.
class FileFetch {
 public:
  FileFetch(HttpClient& http, const RegistryOptions& options, Logger& logger, const HttpDownload& what,
            const BlobSink& sink, const TransferProgress& progress)
      : http_(http),
        logger_(logger),
        what_(what),
        sink_(sink),
        progress_(progress),
        shown_(without_query(what.url)),
        retries_(options.attempts, Seconds(options.first_delay_seconds), "downloading " + shown_, logger) {}

  HttpDownloaded run(const std::stop_token& stop) {
    while (true) {
      const std::uint64_t before = received_;
      try {
        transfer(stop);
        return std::move(result_);
      } catch (const TransportError& error) {
        if (received_ >= before + kWorthwhile) retries_.renew();
        retries_.wait_or_rethrow(error, stop);
      }
    }
  }

 private:
  HttpRequest request_for(const std::string& url) {
    HttpRequest request;
    request.url = url;
    request.peer = "server";
    if (same_origin(url, what_.url)) request.authorization = what_.authorization;
    if (received_ > 0) {
      request.headers.push_back(concat("Range: bytes=", received_, "-"));
      request.headers.push_back(
          concat("If-Range: ", strong_etag().empty() ? result_.last_modified : strong_etag()));
    } else {
      if (!what_.etag.empty()) request.headers.push_back(concat("If-None-Match: ", what_.etag));
      if (!what_.last_modified.empty())
        request.headers.push_back(concat("If-Modified-Since: ", what_.last_modified));
    }
    return request;
  }

  std::string strong_etag() const { return result_.etag.starts_with('"') ? result_.etag : std::string(); }

  void transfer(const std::stop_token& stop) {
    // Without a proof that it is the same file, the rest of another one could be appended.
    if (received_ > 0 && strong_etag().empty() && result_.last_modified.empty()) restart();
    std::string url = what_.url;
    for (int hops = 0;; ++hops) {
      bool begun = false;
      HttpRequest request = request_for(url);
      request.on_body = [&](const HttpResponse& head, std::string_view bytes) {
        if (!begun) begin(head);
        begun = true;
        take(bytes);
      };
      HttpResponse response;
      try {
        response = http_.perform(request, stop);
      } catch (const SameVersion&) {
        result_.not_modified = true;
        return;
      }
      logger_.log(LogLevel::Debug, concat("GET ", without_query(url), ": ", response.status));
      const auto location = response.header("location");
      if (is_redirect(response.status) && location) {
        if (hops == kMaxRedirects)
          throw TransportError(concat(shown_, ": more than ", kMaxRedirects, " redirects"),
                               /*retryable=*/false);
        url = resolve_location(url, *location);
        continue;
      }
      finish(response, begun);
      return;
    }
  }

  void finish(const HttpResponse& response, bool begun) {
    if (response.status == 304 && received_ == 0 && !(what_.etag.empty() && what_.last_modified.empty())) {
      result_.not_modified = true;
      return;
    }
    if (response.status == 416 && received_ > 0) {
      restart();
      throw TransportError(concat(shown_, ": the server cannot resume at this place"), /*retryable=*/true,
                           416);
    }
    if (!response.ok()) refuse(response);
    if (!begun) begin(response);  // an empty file
    if (total_ > 0 && received_ != total_)
      throw TransportError(concat(shown_, ": ", received_, " of ", total_, " bytes came"),
                           /*retryable=*/true);
    if (progress_) progress_(received_, received_);
  }

  // Before the first byte of an answer's body.
  void begin(const HttpResponse& head) {
    const auto of = [&](const char* name) { return head.header(name).value_or(""); };
    if (received_ > 0 && !continues(head)) restart();
    if (received_ == 0) {
      // A part of something else can neither be appended nor taken for the whole.
      if (head.status == 206)
        throw TransportError(concat(shown_, ": the server sent a part of another version"),
                             /*retryable=*/true);
      const std::string etag = of("etag");
      // Some servers send all of it though they were told what we have.
      if (etag.starts_with('"') && etag == what_.etag) throw SameVersion{};
      result_ = {.etag = etag,
                 .last_modified = of("last-modified"),
                 .content_disposition = of("content-disposition")};
      total_ = parse_unsigned(of("content-length")).value_or(0);
    }
  }

  /// "Content-Range: bytes 100-199/200" with 206. All else means: from the start.
  bool continues(const HttpResponse& head) const {
    const std::string range = head.header("content-range").value_or("");
    if (head.status != 206 || !range.starts_with("bytes ")) return false;
    const bool same = strong_etag().empty() || head.header("etag").value_or(strong_etag()) == strong_etag();
    return same && parse_unsigned(std::string_view(range).substr(6, range.find('-') - 6)) == received_;
  }

  void take(std::string_view bytes) {
    sink_.write(bytes);
    received_ += bytes.size();
    if (progress_) progress_(received_, total_);
  }

  void restart() {
    logger_.log(LogLevel::Info, concat(shown_, ": the server cannot resume; from the start again"));
    received_ = total_ = 0;
    if (sink_.restart) sink_.restart();
  }

  [[noreturn]] void refuse(const HttpResponse& response) const {
    const std::string details = error_details(response);
    const std::string message =
        concat(shown_, ": the server answered ", response.status, details.empty() ? "" : ": ", details);
    if (response.status == 404 || response.status == 410)
      throw NotFound(concat(shown_, ": not found (", response.status, ")"));
    if (response.status == 401 || response.status == 403) throw Denied(message);
    if (may_work_later(response.status)) {
      const auto after = response.header("retry-after");
      throw BusyError(message, response.status,
                      after ? parse_retry_after(*after, std::chrono::system_clock::now()) : std::nullopt);
    }
    throw TransportError(message, /*retryable=*/false, response.status);
  }

  HttpClient& http_;
  Logger& logger_;
  const HttpDownload& what_;
  const BlobSink& sink_;
  const TransferProgress& progress_;
  const std::string shown_;
  RetryBudget retries_;
  HttpDownloaded result_;
  std::uint64_t received_ = 0, total_ = 0;
};

}  // namespace

struct HttpDownloader::Impl {
  Impl(RegistryOptions given, Logger& log)
      : options(std::move(given)), logger(log), http(options.connect_timeout_seconds) {}
  const RegistryOptions options;
  Logger& logger;
  HttpClient http;
  HostLimits limits;
};

HttpDownloader::HttpDownloader(RegistryOptions options, Logger& logger)
    : impl_(std::make_unique<Impl>(std::move(options), logger)) {}
HttpDownloader::~HttpDownloader() = default;

HttpDownloaded HttpDownloader::download(const HttpDownload& what, const BlobSink& sink,
                                        const TransferProgress& progress, std::stop_token stop) {
  const HostLimits::Permit permit = impl_->limits.begin_transfer(parse_url(what.url).host_port(), stop);
  return FileFetch(impl_->http, impl_->options, impl_->logger, what, sink, progress).run(stop);
}

std::optional<std::int64_t> parse_http_date(const std::string& text) {
  const std::time_t date = libcurl().getdate(text.c_str(), nullptr);
  if (text.empty() || date < 0) return std::nullopt;
  return date;
}

}  // namespace slipway
