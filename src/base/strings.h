#pragma once
// Small text helpers that the standard library of C++20 lacks.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace slipway {

namespace detail {
template <class T>
void append_piece(std::string& out, const T& piece) {
  if constexpr (std::is_same_v<T, char>) {
    out += piece;
  } else if constexpr (std::is_arithmetic_v<T>) {
    out += std::to_string(piece);
  } else {
    out += std::string_view(piece);
  }
}
}  // namespace detail

/// Joins strings, views, chars and numbers into one string.
template <class... Pieces>
std::string concat(const Pieces&... pieces) {
  std::string out;
  (detail::append_piece(out, pieces), ...);
  return out;
}

std::vector<std::string> split(std::string_view text, char separator);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::string_view trim(std::string_view text);
std::string to_lower(std::string_view text);
std::string to_upper(std::string_view text);

/// Whole text as a non-negative decimal number, or nothing.
std::optional<std::uint64_t> parse_unsigned(std::string_view text);

/// Splits a buildx-style CSV value (`type=oci,dest="a,b"`): fields at commas, "…" quotes a field as in RFC
/// 4180. Throws UsageError for an unterminated quote.
std::vector<std::string> split_csv(std::string_view text);

/// "12.3MB", as docker prints sizes (powers of 1000).
std::string human_bytes(std::uint64_t bytes);
/// "0.4s", "12.3s", "2m05s".
std::string human_seconds(double seconds);

/// The candidate nearest to `word` if it is near enough to be a typing error.
std::optional<std::string> closest_match(std::string_view word, const std::vector<std::string>& candidates);

std::string base64_decode(std::string_view text);
std::string base64_encode(std::string_view bytes);

}  // namespace slipway
