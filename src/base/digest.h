#pragma once
// Content digests (OCI image-spec, descriptor.md "Digests"). Only sha256 is accepted.
#include <array>
#include <compare>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace slipway {

/// A valid "sha256:<64 hex digits>". Only parse() and of() make one, so an invalid one cannot exist.
class Digest {
 public:
  /// Throws InvalidInput.
  static Digest parse(std::string_view text);
  static bool is_valid(std::string_view text);
  static Digest of(std::string_view bytes);

  const std::string& str() const { return text_; }  ///< "sha256:…"
  std::string_view hex() const { return std::string_view(text_).substr(7); }
  /// First 12 hex digits, for people.
  std::string short_hex() const { return std::string(hex().substr(0, 12)); }
  auto operator<=>(const Digest&) const = default;

 private:
  friend class Sha256;
  explicit Digest(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

/// Streaming SHA-256 (OpenSSL). Not thread-safe; one owner.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void update(const void* data, std::size_t size);
  void update(std::string_view bytes) { update(bytes.data(), bytes.size()); }
  /// Ends the computation; the object may not be used again.
  Digest finish();
  /// The same, as bytes.
  std::array<unsigned char, 32> finish_raw();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace slipway

template <>
struct std::hash<slipway::Digest> {
  std::size_t operator()(const slipway::Digest& digest) const noexcept {
    return std::hash<std::string_view>{}(digest.hex().substr(0, 16));  // as random as the whole
  }
};
