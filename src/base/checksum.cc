#include "base/checksum.h"

#include <openssl/evp.h>

#include <array>

#include "base/error.h"

namespace slipway {

std::string to_hex(std::string_view bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char byte : bytes) {
    out += kDigits[static_cast<unsigned char>(byte) >> 4];
    out += kDigits[static_cast<unsigned char>(byte) & 15];
  }
  return out;
}

Checksum checksum_of(ChecksumKind kind, std::string_view bytes) {
  const bool is_md5 = kind == ChecksumKind::Md5;
  // Fetched once: OpenSSL looks through its providers each time it is asked by name.
  static EVP_MD* const kMd5 = EVP_MD_fetch(nullptr, "MD5", nullptr);
  static EVP_MD* const kSha1 = EVP_MD_fetch(nullptr, "SHA1", nullptr);
  std::array<char, EVP_MAX_MD_SIZE> raw{};
  unsigned size = 0;
  const EVP_MD* algorithm = is_md5 ? kMd5 : kSha1;
  if (!algorithm || EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(raw.data()),
                               &size, algorithm, nullptr) != 1)
    throw HostError(std::string("this machine's OpenSSL has no ") + (is_md5 ? "MD5" : "SHA-1"));
  return {.kind = kind, .hex = to_hex({raw.data(), size})};
}

}  // namespace slipway
