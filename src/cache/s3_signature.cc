#include "cache/s3_signature.h"

#include <algorithm>
#include <map>

#include "base/checksum.h"
#include "base/hmac.h"
#include "base/strings.h"
#include "manifest/oci.h"

namespace slipway {

namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

/// "20240501T120000Z"
std::string basic_time(std::int64_t seconds) {
  std::string text = rfc3339(seconds);
  std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
  return text;
}

constexpr std::string_view kUnreserved = "-._~";

/// Everything but letters, digits and `others` as %XX.
std::string percent_encoded(std::string_view text, std::string_view others) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       others.find(c) != std::string_view::npos;
    if (plain) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

}  // namespace

std::string s3_path(std::string_view path) { return percent_encoded(path, concat(kUnreserved, "/")); }

std::string s3_query(const std::map<std::string, std::string>& parameters) {
  std::vector<std::string> pairs;
  for (const auto& [name, value] : parameters)
    pairs.push_back(concat(percent_encoded(name, kUnreserved), "=", percent_encoded(value, kUnreserved)));
  return join(pairs, "&");
}

S3Signature sign_s3(const S3Request& request, const S3Credentials& credentials, const std::string& region,
                    std::int64_t now) {
  const std::string time = basic_time(now), date = time.substr(0, 8);
  std::map<std::string, std::string> headers = {{"host", request.host},
                                                {"x-amz-content-sha256", std::string(request.payload.hex())},
                                                {"x-amz-date", time}};
  if (!credentials.session_token.empty())
    headers.emplace("x-amz-security-token", credentials.session_token.reveal());
  S3Signature signature;
  std::string lines;
  std::vector<std::string> names;
  for (const auto& [name, value] : headers) {
    lines += concat(name, ":", value, "\n");
    names.push_back(name);
    if (name != "host") signature.headers.push_back(concat(name, ": ", value));
  }
  const std::string signed_names = join(names, ";");
  const std::string canonical = concat(request.method, "\n", request.path, "\n", request.query, "\n", lines,
                                       "\n", signed_names, "\n", request.payload.hex());
  const std::string scope = concat(date, "/", region, "/s3/aws4_request");
  const std::string text = concat(kAlgorithm, "\n", time, "\n", scope, "\n", Digest::of(canonical).hex());
  std::string key = hmac_sha256(concat("AWS4", credentials.secret_key.reveal()), date);
  for (const std::string& part : {region, std::string("s3"), std::string("aws4_request")})
    key = hmac_sha256(key, part);
  signature.authorization =
      Secret(concat(kAlgorithm, " Credential=", credentials.access_key, "/", scope,
                    ", SignedHeaders=", signed_names, ", Signature=", to_hex(hmac_sha256(key, text))));
  return signature;
}

}  // namespace slipway
