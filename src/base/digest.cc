#include "base/digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/error.h"
#include "base/strings.h"

namespace slipway {

bool Digest::is_valid(std::string_view text) {
  return text.size() == 71 && text.starts_with("sha256:") && std::ranges::all_of(text.substr(7), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

Digest Digest::parse(std::string_view text) {
  if (!is_valid(text))
    throw InvalidInput(concat("\"", text.substr(0, 100), "\" is not a digest (sha256: and 64 hex digits)"));
  return Digest(std::string(text));
}

Digest Digest::of(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  // Fetched once: OpenSSL looks through its providers each time it is given EVP_sha256().
  static EVP_MD* const kAlgorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  SLIPWAY_CHECK(EVP_DigestInit_ex(state_->context, kAlgorithm, nullptr) == 1, "OpenSSL has SHA-256");
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(const void* data, std::size_t size) { EVP_DigestUpdate(state_->context, data, size); }

std::array<unsigned char, 32> Sha256::finish_raw() {
  std::array<unsigned char, 32> raw{};
  EVP_DigestFinal_ex(state_->context, raw.data(), nullptr);
  return raw;
}

Digest Sha256::finish() {
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string text = "sha256:";
  text.reserve(71);
  for (const unsigned char byte : finish_raw()) {
    text += kHex[byte >> 4];
    text += kHex[byte & 15];
  }
  return Digest(std::move(text));
}

}  // namespace slipway
