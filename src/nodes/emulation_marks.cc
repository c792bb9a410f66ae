#include "nodes/emulation_marks.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/strings.h"

namespace slipway {

namespace {

using By = EmulationMark::By;

constexpr std::array<std::pair<By, std::string_view>, 4> kWords{
    {{By::Unknown, "unknown"}, {By::Twins, "twins"}, {By::Emulator, "emulator"}, {By::Both, "both"}}};

EmulationMark lesser(const EmulationMark& one, const EmulationMark& other) {
  if (one.by != other.by) return one.by < other.by ? one : other;
  // Compared with other twins each: no set of twins was compared in both.
  if (one.packs != other.packs) return {.by = By::Emulator};
  return one;
}

}  // namespace

std::string_view word_of(By by) {
  return std::ranges::find(kWords, by, &decltype(kWords)::value_type::first)->second;
}

void add_marks(EmulationMarks& marks, const EmulationMarks& others) {
  for (const auto& [platform, mark] : others)
    if (const auto [known, is_new] = marks.try_emplace(platform, mark); !is_new)
      known->second = lesser(known->second, mark);
}

std::string to_text(const EmulationMarks& marks) {
  std::vector<std::string> texts;
  for (const auto& [platform, mark] : marks)
    texts.push_back(concat(platform.str(), "=", word_of(mark.by), mark.packs.empty() ? "" : ":", mark.packs));
  return join(texts, ",");
}

std::optional<EmulationMarks> parse_emulation_marks(std::string_view text) {
  EmulationMarks marks;
  if (text.empty()) return marks;
  for (const std::string& one : split(text, ',')) {
    const std::size_t equals = one.find('=');
    if (equals == std::string::npos) return std::nullopt;
    const std::string value = one.substr(equals + 1);
    const std::size_t colon = std::min(value.find(':'), value.size());
    const auto word =
        std::ranges::find(kWords, value.substr(0, colon), &decltype(kWords)::value_type::second);
    if (word == kWords.end()) return std::nullopt;
    try {
      marks[Platform::parse(one.substr(0, equals))] = {
          .by = word->first, .packs = colon < value.size() ? value.substr(colon + 1) : std::string()};
    } catch (const Error&) {
      return std::nullopt;
    }
  }
  return marks;
}

}  // namespace slipway
