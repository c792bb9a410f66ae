#include "base/secret_mask.h"

#include <algorithm>
#include <cstring>

#include "base/strings.h"

namespace slipway {
namespace {

std::uint16_t pair_of(std::string_view text) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(text[0]) << 8 |
                                    static_cast<unsigned char>(text[1]));
}

}  // namespace

std::uint32_t SecretMask::head_of(std::string_view text) {
  std::uint32_t head = 0;
  std::memcpy(&head, text.data(), sizeof head);
  return head;
}

void SecretMask::add(const Secret& secret) {
  const std::string_view value = trim(secret.reveal());
  add_needle(value);
  if (value.find('\n') == std::string_view::npos) return;
  for (const std::string& line : split(value, '\n')) add_needle(trim(line));
}

void SecretMask::add_needle(std::string_view needle) {
  static_assert(kShortest == sizeof(std::uint32_t));
  if (needle.size() < kShortest) return;
  std::vector<std::string>& same_head = needles_[head_of(needle)];
  if (std::ranges::find(same_head, needle) != same_head.end()) return;
  const auto longer = [&](const std::string& other) { return other.size() > needle.size(); };
  same_head.insert(std::ranges::find_if_not(same_head, longer), std::string(needle));
  pairs_.set(pair_of(needle));
  singles_.set(static_cast<unsigned char>(needle[0]));
}

std::size_t SecretMask::match(std::string_view text) const {
  if (text.size() < kShortest || !pairs_[pair_of(text)]) return 0;
  const auto found = needles_.find(head_of(text));
  if (found == needles_.end()) return 0;
  for (const std::string& needle : found->second)
    if (text.starts_with(needle)) return needle.size();
  return 0;
}

bool SecretMask::may_become_match(std::string_view text) const {
  if (!singles_[static_cast<unsigned char>(text[0])]) return false;
  if (text.size() == 1) return true;
  if (!pairs_[pair_of(text)]) return false;
  if (text.size() < kShortest)
    return std::ranges::any_of(needles_, [&](const auto& entry) {
      return std::string_view(entry.second.front()).starts_with(text);  // all of one head begin alike
    });
  const auto found = needles_.find(head_of(text));
  return found != needles_.end() && std::ranges::any_of(found->second, [&](const std::string& needle) {
           return needle.size() > text.size() && needle.starts_with(text);
         });
}

std::string SecretMask::apply(std::string_view text) const {
  MaskedStream stream(*this);
  std::string shown = stream.add(text);
  return shown += stream.finish();
}

std::string MaskedStream::add(std::string_view bytes) {
  held_ += bytes;
  return pass(/*is_end=*/false);
}

std::string MaskedStream::finish() { return pass(/*is_end=*/true); }

// Secrets may overlap, so each byte of one is looked at as the beginning of another, and only what follows
// the last of them is shown again.
std::string MaskedStream::pass(bool is_end) {
  const std::string_view text = held_;
  std::string shown;
  std::size_t at = 0, hidden_to = hidden_;
  for (; at < text.size(); ++at) {
    const std::string_view rest = text.substr(at);
    if (!is_end && mask_.may_become_match(rest)) break;
    if (const std::size_t length = mask_.match(rest)) {
      if (at >= hidden_to) shown += SecretMask::kShown;
      hidden_to = std::max(hidden_to, at + length);
    } else if (at >= hidden_to) {
      shown += text[at];
    }
  }
  hidden_ = hidden_to > at ? hidden_to - at : 0;
  held_.erase(0, at);
  return shown;
}

}  // namespace slipway
