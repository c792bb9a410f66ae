#pragma once
// Hides secrets in text that is on its way to people: logs of steps, mostly. A net, not a wall: what a step
// encodes or cuts into pieces of its own cannot be known.
#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/secret.h"

namespace slipway {

/// What to hide: each value, and each line of one that has several, without blanks around it. What is shorter
/// than kShortest is left alone: it would blot out half of every log. Immutable, thread-safe.
class SecretMask {
 public:
  static constexpr std::size_t kShortest = 4;
  static constexpr std::string_view kShown = "***";

  SecretMask() = default;
  void add(const Secret& secret);
  bool empty() const { return needles_.empty(); }
  /// A whole text, masked.
  std::string apply(std::string_view text) const;

 private:
  friend class MaskedStream;
  void add_needle(std::string_view needle);
  /// The length of the longest secret that `text` begins with; 0 if there is none.
  std::size_t match(std::string_view text) const;
  /// True if `text`, all of it, is the beginning of a longer secret.
  bool may_become_match(std::string_view text) const;

  static std::uint32_t head_of(std::string_view text);
  std::unordered_map<std::uint32_t, std::vector<std::string>>
      needles_;               ///< by their first bytes, the longest first
  std::bitset<65536> pairs_;  ///< their first two bytes: what rules out nearly every place at once
  std::bitset<256> singles_;  ///< their first byte
};

/// One stream of text in pieces of any size. What may be the beginning of a secret is kept back until it is
/// clear. Not thread-safe; `mask` must live longer.
class MaskedStream {
 public:
  explicit MaskedStream(const SecretMask& mask) : mask_(mask) {}
  /// What may be shown by now.
  std::string add(std::string_view bytes);
  /// The rest, once nothing more will come.
  std::string finish();

 private:
  std::string pass(bool is_end);
  const SecretMask& mask_;
  std::string held_;
  std::size_t hidden_ = 0;  ///< how many bytes of held_ belong to a secret that began before it
};

}  // namespace slipway
