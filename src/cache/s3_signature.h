#pragma once
// Signatures of S3 requests ("AWS Signature Version 4": the AWS reference, "Authenticating Requests").
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/secret.h"

namespace slipway {

struct S3Credentials {
  std::string access_key;
  Secret secret_key;
  Secret session_token;  ///< empty: none
};

struct S3Request {
  std::string method;
  std::string host;   ///< as the Host header has it
  std::string path;   ///< encoded as it is sent
  std::string query;  ///< from s3_query(); empty: none
  Digest payload;     ///< of the body's bytes
};

struct S3Signature {
  Secret authorization;              ///< value of the Authorization header
  std::vector<std::string> headers;  ///< to send with it, "Name: value"
};

/// `now`: seconds since the epoch.
S3Signature sign_s3(const S3Request& request, const S3Credentials& credentials, const std::string& region,
                    std::int64_t now);

/// For paths: everything but letters, digits, "-._~" and "/" as %XX.
std::string s3_path(std::string_view path);
/// For what follows the "?", in the order that signatures want: "partNumber=1&uploadId=a%2Fb", "uploads=".
std::string s3_query(const std::map<std::string, std::string>& parameters);

}  // namespace slipway
