// What is changed is one byte of each instruction:
//
//     0f be /r   movsx r32, r/m8   becomes   0f b6 /r   movzx r32, r/m8
//
// The functions are small and compare what they have loaded as int; the count of instructions says that a
// function is the one that was looked at when it came on the list.
#include "accel/char_signs.h"

#include <string_view>
#include <vector>

namespace slipway {

std::optional<std::string> with_unsigned_chars(std::string bytes, const ElfImage& image,
                                               const CharFunctions& functions) {
  constexpr std::string_view kSigned = "\x0f\xbe";
  constexpr char kUnsigned = '\xb6';
  constexpr std::uint64_t kLargest = 256;
  for (const auto& [name, count] : functions) {
    const auto place = image.function(name);
    if (!place || place->size > kLargest || place->offset + place->size > bytes.size()) return std::nullopt;
    const std::string code = bytes.substr(place->offset, place->size);
    std::vector<std::size_t> found;
    for (std::size_t at = code.find(kSigned); at != std::string::npos; at = code.find(kSigned, at + 2))
      found.push_back(at);
    if (found.size() != count) return std::nullopt;
    for (const std::size_t at : found) bytes[place->offset + at + 1] = kUnsigned;
  }
  return bytes;
}

}  // namespace slipway
