#pragma once
// A made-up /etc/ld.so.cache.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace slipway {

inline std::string loader_cache(const std::vector<std::pair<std::string, std::string>>& places) {
  const auto number = [](std::uint64_t value, int bytes) {
    std::string out;
    for (int i = 0; i < bytes; ++i) out += i < 8 ? static_cast<char>(value >> (8 * i)) : char{0};
    return out;
  };
  const std::size_t texts_at = 48 + 24 * places.size();
  std::string entries, texts;
  for (const auto& [name, place] : places) {
    entries += number(0xa03, 4) + number(texts_at + texts.size(), 4);
    texts += name + '\0';
    entries += number(texts_at + texts.size(), 4) + number(0, 12);
    texts += place + '\0';
  }
  return "glibc-ld.so.cache1.1" + number(places.size(), 4) + number(texts.size(), 4) + std::string(20, '\0') +
         entries + texts + "extensions";
}

}  // namespace slipway
