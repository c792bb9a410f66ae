#pragma once
// Files behind http and https URLs: what they are now, kept in the store as blobs, and as a tree with one
// file.
#include <cstdint>
#include <map>
#include <optional>
#include <stop_token>
#include <string>

#include "base/digest.h"
#include "base/secret.h"
#include "content/store.h"
#include "graph/ops.h"
#include "nodes/image_source.h"
#include "registry/http_download.h"

namespace slipway {

/// What a URL stands for at one moment.
struct HttpVersion {
  Digest content;
  std::string filename;
  std::optional<std::int64_t> modified;  ///< seconds since the epoch; absent: the server did not say

  /// The same for the same tree. Without `modified` if a checksum pins the source: then nobody was asked.
  std::string identity() const;
};

/// Remembers validators (ETag, Last-Modified) beside the bodies, in ROOT/http, so that an unchanged file is
/// not fetched again. Secrets HTTP_AUTH_HEADER_HOST and HTTP_AUTH_TOKEN_HOST are sent to that host.
/// Thread-safe, and safe with other processes on the same store.
class HttpSource {
 public:
  /// All of it is borrowed.
  HttpSource(Store& store, HttpDownloader& downloader, const std::map<std::string, Secret>& secrets)
      : store_(store), downloader_(downloader), secrets_(secrets) {}

  static bool is_http(const SourceOp& source);

  /// Asks the server, unless a checksum says what the bytes are; fetches them if they are not in the store or
  /// no longer right. Throws InvalidInput for what is no usable URL or checksum, and as download() does.
  HttpVersion resolve(const SourceOp& source, const ItemProgress& progress, std::stop_token stop);

  /// The blob of that version in the store, fetched if need be. Throws IntegrityError if the server now has
  /// other bytes.
  void fetch(const SourceOp& source, const HttpVersion& version, const ItemProgress& progress,
             std::stop_token stop);

  /// A tree with that one file, mode 0600, of root.
  SnapshotId unpack(const SourceOp& source, const HttpVersion& version, const ItemProgress& progress,
                    std::stop_token stop);

 private:
  struct Record;
  struct Place;
  Place place_of(const SourceOp& source) const;
  std::optional<Record> read_record(const Place& place) const;
  Record download(const SourceOp& source, const Place& place, const std::optional<Digest>& expected,
                  const ItemProgress& progress, std::stop_token stop);

  Store& store_;
  HttpDownloader& downloader_;
  const std::map<std::string, Secret>& secrets_;
};

/// The name of the file that a URL gives (BuildKit's rule): as asked, else Content-Disposition's, else the
/// last part of the path, else "download". Never one that leads elsewhere.
std::string download_name(const std::string& asked, const std::string& content_disposition,
                          const std::string& url);

}  // namespace slipway
