#pragma once
// Plain downloads over http and https, for whatever is no registry (ADD's URLs, remote contexts): redirected,
// retried, resumed, and asked for only if they changed. It lives here because libcurl does.
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "base/logger.h"
#include "base/secret.h"
#include "registry/client.h"

namespace slipway {

struct HttpDownload {
  std::string url;       ///< without user and password
  Secret authorization;  ///< goes to the URL's own origin, not to where a redirect leads
  /// Validators of the copy at hand, as the server gave them; empty: there is none.
  std::string etag, last_modified;
};

struct HttpDownloaded {
  bool not_modified = false;  ///< the copy at hand is still right; the sink got nothing
  std::string etag, last_modified, content_disposition;
};

/// Thread-safe.
class HttpDownloader {
 public:
  /// Of the options: attempts, first_delay_seconds, connect_timeout_seconds.
  HttpDownloader(RegistryOptions options, Logger& logger);
  ~HttpDownloader();
  /// Streams the body into `sink`; the total for `progress` is 0 if the server does not tell. A cut transfer
  /// goes on where it stopped if the server can prove that it still has the same bytes. Throws NotFound (404,
  /// 410), Denied (401, 403), TransportError, Cancelled; messages name the URL without its query.
  HttpDownloaded download(const HttpDownload& what, const BlobSink& sink, const TransferProgress& progress,
                          std::stop_token stop);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Seconds since the epoch of a Last-Modified header; nothing if it is no date.
std::optional<std::int64_t> parse_http_date(const std::string& text);

}  // namespace slipway
