#include "cache/s3_bucket.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "base/error.h"
#include "base/strings.h"
#include "registry/answers.h"
#include "registry/retry.h"
#include "registry/url.h"

namespace slipway {

namespace {

constexpr int kAttempts = 5;
constexpr Seconds kFirstDelay{0.5};
constexpr std::uint64_t kMostParts = 10'000;

std::int64_t now() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

bool is_default_port(const Url& url) {
  return (url.scheme == "https" && url.port == "443") || (url.scheme == "http" && url.port == "80");
}

/// The text of the first <name> of an XML answer; empty if there is none. S3's answers have no markup in it.
std::string element(std::string_view xml, std::string_view name) {
  const std::string open = concat("<", name, ">"), close = concat("</", name, ">");
  const std::size_t begin = xml.find(open);
  if (begin == std::string_view::npos) return {};
  const std::size_t from = begin + open.size(), end = xml.find(close, from);
  return end == std::string_view::npos ? std::string() : std::string(xml.substr(from, end - from));
}

Digest digest_of(const FileBody& part, const std::stop_token& stop) {
  Sha256 hash;
  std::vector<char> buffer(std::size_t{1} << 20);
  for (std::uint64_t done = 0; done < part.size;) {
    if (stop.stop_requested()) throw Cancelled();
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), part.size - done));
    const ssize_t got = ::pread(part.fd, buffer.data(), wanted, static_cast<off_t>(part.offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw SystemError(errno, "read", "a layer");
    if (got == 0) throw IntegrityError("a layer became shorter while it was saved");
    hash.update(buffer.data(), static_cast<std::size_t>(got));
    done += static_cast<std::uint64_t>(got);
  }
  return hash.finish();
}

}  // namespace

S3Bucket::S3Bucket(Options options, Logger& logger) : options_(std::move(options)), logger_(logger) {
  const bool own = !options_.endpoint.empty();
  const Url url = parse_url(
      own ? options_.endpoint : concat("https://", options_.name, ".s3.", options_.region, ".amazonaws.com"));
  origin_ = url.origin();
  host_ = is_default_port(url) ? url.host : url.host_port();
  base_path_ = own ? concat("/", options_.name, "/") : "/";
}

HttpResponse S3Bucket::try_once(const Call& call, const std::string& what, const std::stop_token& stop) {
  HttpRequest request{.method = call.method};
  request.peer = "S3 server";
  const std::string path = s3_path(base_path_ + call.key), query = s3_query(call.query);
  request.url = concat(origin_, path, query.empty() ? "" : "?", query);
  S3Signature signature = sign_s3({.method = std::string(method_name(call.method)),
                                   .host = host_,
                                   .path = path,
                                   .query = query,
                                   .payload = call.payload},
                                  options_.credentials, options_.region, now());
  request.headers = std::move(signature.headers);
  if (!options_.credentials.access_key.empty()) request.authorization = std::move(signature.authorization);
  if (call.complete) call.complete(request);
  HttpResponse response = http_.perform(request, stop);
  if (response.status == 401 || response.status == 403)
    throw Denied(concat(what, ": the S3 server refuses it (", response.status, ")"));
  if (response.status == 429 || response.status >= 500)
    throw TransportError(concat(what, ": the S3 server answered ", response.status),
                         /*retryable=*/response.status != 501, response.status);
  return response;
}

HttpResponse S3Bucket::send(const Call& call, const std::stop_token& stop) {
  const std::string what = concat(call.key, " in the bucket ", options_.name);
  RetryBudget retries(kAttempts, kFirstDelay, what, logger_);
  while (true) {
    try {
      return try_once(call, what, stop);
    } catch (const TransportError& e) {
      retries.wait_or_rethrow(e, stop);
    }
  }
}

HttpResponse S3Bucket::insist(const Call& call, const std::stop_token& stop) {
  HttpResponse response = send(call, stop);
  // What takes S3 long begins with 200, and the body says how it ended.
  const std::string code = element(response.body, "Code");
  if (!response.ok() || !code.empty())
    throw TransportError(concat(call.key, " in the bucket ", options_.name, ": the S3 server answered ",
                                response.status, code.empty() ? "" : " ", printable(code)),
                         /*retryable=*/false, response.status);
  return response;
}

void S3Bucket::put_file(const std::string& key, int file, std::uint64_t size, const Digest& digest,
                        const std::stop_token& stop) {
  if (size > options_.part_size) return put_parts(key, file, size, stop);
  insist({.method = HttpMethod::Put,
          .key = key,
          .payload = digest,
          .complete =
              [&](HttpRequest& request) {
                request.file = FileBody{.fd = file, .offset = 0, .size = size, .on_sent = {}};
              }},
         stop);
}

void S3Bucket::put_parts(const std::string& key, int file, std::uint64_t size, const std::stop_token& stop) {
  const HttpResponse begun =
      insist({.method = HttpMethod::Post, .key = key, .query = {{"uploads", ""}}}, stop);
  const std::string upload = element(begun.body, "UploadId");
  if (upload.empty())
    throw TransportError(concat(key, ": the S3 server's answer names no upload"), /*retryable=*/false);
  try {
    const std::uint64_t part_size = std::max(options_.part_size, size / kMostParts + 1);
    std::string list = "<CompleteMultipartUpload>";
    std::uint64_t number = 1;
    for (std::uint64_t at = 0; at < size; at += part_size, ++number) {
      const FileBody part{.fd = file, .offset = at, .size = std::min(part_size, size - at), .on_sent = {}};
      const std::string tag =
          put_part({.method = HttpMethod::Put,
                    .key = key,
                    .query = {{"partNumber", std::to_string(number)}, {"uploadId", upload}}},
                   part, stop);
      list += concat("<Part><PartNumber>", number, "</PartNumber><ETag>", tag, "</ETag></Part>");
    }
    list += "</CompleteMultipartUpload>";
    insist({.method = HttpMethod::Post,
            .key = key,
            .query = {{"uploadId", upload}},
            .payload = Digest::of(list),
            .complete =
                [&](HttpRequest& request) {
                  request.body = Secret(list);
                  request.headers.emplace_back("Content-Type: application/xml");
                }},
           stop);
  } catch (...) {
    give_up(key, upload);
    throw;
  }
}

std::string S3Bucket::put_part(const Call& part, const FileBody& bytes, const std::stop_token& stop) {
  Call call = part;
  call.payload = digest_of(bytes, stop);
  call.complete = [&](HttpRequest& request) { request.file = bytes; };
  const HttpResponse response = insist(call, stop);
  const std::string tag = response.header("etag").value_or("");
  // It goes into XML as it is.
  if (tag.empty() || tag.find_first_of("<>&") != std::string::npos)
    throw TransportError(concat(part.key, ": the S3 server's answer to a part has no usable ETag"),
                         /*retryable=*/false);
  return tag;
}

void S3Bucket::give_up(const std::string& key, const std::string& upload) {
  // Parts of an upload that is not ended are kept, and paid for. Also when cancelled: it is one small
  // request.
  try {
    try_once({.method = HttpMethod::Delete, .key = key, .query = {{"uploadId", upload}}}, key, {});
  } catch (const Error& e) {
    logger_.log(LogLevel::Warning,
                concat("parts of ", key, " may be left in the bucket ", options_.name, ": ", e.what()));
  }
}

}  // namespace slipway
