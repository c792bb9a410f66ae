#include "history/step_match.h"

#include <algorithm>
#include <functional>
#include <unordered_map>

#include "base/strings.h"

namespace slipway {

namespace {

/// "[a b] rest" -> ("a b", "rest"); ("", name) if there are no brackets.
std::pair<std::string, std::string> parted(const std::string& name) {
  const std::size_t end = name.starts_with("[") ? name.find("] ") : std::string::npos;
  if (end == std::string::npos) return {"", name};
  return {name.substr(1, end - 1), name.substr(end + 2)};
}

bool is_fraction(std::string_view word) {
  const std::size_t slash = word.find('/');
  return slash != std::string_view::npos && parse_unsigned(word.substr(0, slash)) &&
         parse_unsigned(word.substr(slash + 1));
}

std::string verb_of(const std::string& instruction) { return instruction.substr(0, instruction.find(' ')); }

using Tag = std::function<std::string(const StepRecord&)>;

class Matching {
 public:
  Matching(const BuildRecord& before, const BuildRecord& after)
      : before_(before), after_(after), found_(after.steps.size()), taken_(before.steps.size(), false) {}

  /// Pairs free steps of the same tag, in order; an empty tag is none.
  void pair_by(const Tag& tag) {
    std::unordered_map<std::string, std::vector<std::size_t>> by_tag;
    for (std::size_t i = 0; i < before_.steps.size(); ++i)
      if (!taken_[i]) by_tag[tag(before_.steps[i])].push_back(i);
    for (std::size_t i = 0; i < after_.steps.size(); ++i) {
      if (found_[i]) continue;
      const std::string own = tag(after_.steps[i]);
      const auto candidates = by_tag.find(own);
      if (own.empty() || candidates == by_tag.end()) continue;
      for (const std::size_t candidate : candidates->second) {
        if (taken_[candidate] || !share_platform(before_.steps[candidate], after_.steps[i])) continue;
        found_[i] = candidate;
        taken_[candidate] = true;
        break;
      }
    }
  }
  std::vector<std::optional<std::size_t>> take() { return std::move(found_); }

 private:
  const BuildRecord& before_;
  const BuildRecord& after_;
  std::vector<std::optional<std::size_t>> found_;
  std::vector<bool> taken_;
};

}  // namespace

std::string instruction_of(const std::string& step_name) { return parted(step_name).second; }

std::string place_of(const std::string& step_name) {
  std::vector<std::string> kept;
  bool placed = false;
  for (const std::string& word : split(parted(step_name).first, ' ')) {
    if (is_fraction(word)) {
      kept.push_back(word.substr(0, word.find('/')));
      placed = true;
    } else if (word.find('/') == std::string::npos) {  // what has a slash is the platform
      kept.push_back(word);
    }
  }
  return placed ? join(kept, " ") : std::string();
}

bool share_platform(const StepRecord& a, const StepRecord& b) {
  return std::ranges::any_of(a.platforms, [&](const std::string& platform) {
    return std::ranges::find(b.platforms, platform) != b.platforms.end();
  });
}

std::vector<std::optional<std::size_t>> match_steps(const BuildRecord& before, const BuildRecord& after) {
  Matching matching(before, after);
  matching.pair_by([](const StepRecord& step) { return step.key; });
  matching.pair_by([](const StepRecord& step) {
    return concat(step.kind, " ", place_of(step.name), " ", instruction_of(step.name));
  });
  matching.pair_by([](const StepRecord& step) { return concat(step.kind, " ", instruction_of(step.name)); });
  matching.pair_by([](const StepRecord& step) {
    const std::string place = place_of(step.name);
    if (place.empty()) return std::string();
    return concat(step.kind, " ", place, " ", verb_of(instruction_of(step.name)));
  });
  return matching.take();
}

}  // namespace slipway
