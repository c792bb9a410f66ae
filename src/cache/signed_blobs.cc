#include "cache/signed_blobs.h"

#include <algorithm>
#include <cstdio>

#include "base/error.h"
#include "base/strings.h"
#include "registry/url.h"

namespace slipway {

namespace {

constexpr const char* kServer = "blob store";
constexpr const char* kBlobType = "x-ms-blob-type: BlockBlob";

/// Of equal length within a blob, as is asked for.
std::string block_id(std::uint64_t number) {
  char text[16];
  std::snprintf(text, sizeof text, "block-%06u", static_cast<unsigned>(number));
  return base64_encode(text);
}

void require_ok(const HttpResponse& response, const std::string& what) {
  if (response.ok()) return;
  const std::string message = concat(what, ": the ", kServer, " answered ", response.status);
  if (response.status == 404) throw NotFound(message);
  throw TransportError(message, /*retryable=*/false, response.status);
}

/// The state of one download over several tries.
class Download {
 public:
  Download(BlobWriter& into, std::uint64_t size, const std::string& what, const TransferProgress& progress)
      : into_(into), size_(size), what_(what), progress_(progress) {}

  HttpRequest request(const std::string& url) {
    asked_from_ = into_.written();
    begun_ = false;
    HttpRequest request{.method = HttpMethod::Get, .url = url};
    if (asked_from_ > 0) request.headers.push_back(concat("Range: bytes=", asked_from_, "-"));
    request.on_body = [this](const HttpResponse& head, std::string_view bytes) { take(head, bytes); };
    return request;
  }

 private:
  void take(const HttpResponse& head, std::string_view bytes) {
    if (!std::exchange(begun_, true) && asked_from_ > 0) begin_again(head);
    if (into_.written() + bytes.size() > size_)
      throw IntegrityError(concat(what_, " is larger than ", size_, " bytes"));
    into_.write(bytes);
    if (progress_) progress_(into_.written(), size_);
  }
  void begin_again(const HttpResponse& head) {
    if (head.status != 206) return into_.restart();
    if (!head.header("content-range").value_or("").starts_with(concat("bytes ", asked_from_, "-")))
      throw TransportError(concat(what_, ": the ", kServer, " sent another range than was asked for"),
                           /*retryable=*/false, head.status);
  }

  BlobWriter& into_;
  const std::uint64_t size_;
  const std::string& what_;
  const TransferProgress& progress_;
  std::uint64_t asked_from_ = 0;
  bool begun_ = false;
};

}  // namespace

std::string SignedBlobs::read(const std::string& url, std::size_t limit, const std::string& what,
                              std::stop_token stop) {
  HttpResponse response = http_.send({.what = what,
                                      .server = kServer,
                                      .request =
                                          [&] {
                                            HttpRequest request{.method = HttpMethod::Get, .url = url};
                                            request.max_answer = limit;
                                            return request;
                                          }},
                                     stop);
  require_ok(response, what);
  return std::move(response.body);
}

void SignedBlobs::download(const std::string& url, BlobWriter& into, std::uint64_t size,
                           const std::string& what, const TransferProgress& progress, std::stop_token stop) {
  Download download(into, size, what, progress);
  require_ok(
      http_.send({.what = what, .server = kServer, .request = [&] { return download.request(url); }}, stop),
      what);
}

void SignedBlobs::put(const std::string& what, const std::function<HttpRequest()>& request,
                      const std::stop_token& stop) {
  require_ok(http_.send({.what = what, .server = kServer, .request = request}, stop), what);
}

void SignedBlobs::write(const std::string& url, std::string bytes, const std::string& what,
                        std::stop_token stop) {
  put(
      what,
      [&] {
        HttpRequest request{.method = HttpMethod::Put, .url = url};
        request.headers = {kBlobType, "Content-Type: application/octet-stream"};
        request.body = Secret(bytes);
        return request;
      },
      stop);
}

void SignedBlobs::upload(const std::string& url, int fd, std::uint64_t size, const std::string& what,
                         std::stop_token stop) {
  const auto put_part = [&](const std::string& to, std::uint64_t offset, std::uint64_t bytes,
                            const char* header) {
    put(
        what,
        [&] {
          HttpRequest request{.method = HttpMethod::Put, .url = to};
          request.headers = {"Content-Type: application/octet-stream"};
          if (header) request.headers.emplace_back(header);
          request.file = FileBody{.fd = fd, .offset = offset, .size = bytes, .on_sent = {}};
          return request;
        },
        stop);
  };
  if (size <= block_bytes_) return put_part(url, 0, size, kBlobType);
  std::string list = "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>";
  for (std::uint64_t offset = 0; offset < size; offset += block_bytes_) {
    const std::string id = block_id(offset / block_bytes_);
    put_part(with_query(with_query(url, "comp", "block"), "blockid", id), offset,
             std::min(block_bytes_, size - offset), nullptr);
    list += concat("<Latest>", id, "</Latest>");
  }
  list += "</BlockList>";
  put(
      what,
      [&] {
        HttpRequest request{.method = HttpMethod::Put, .url = with_query(url, "comp", "blocklist")};
        request.headers = {"Content-Type: application/xml"};
        request.body = Secret(list);
        return request;
      },
      stop);
}

}  // namespace slipway
