// The pattern is a nondeterministic automaton with one state before each token and one at the end. All states
// are advanced together over the value, so no pattern can make matching exponential. For "find" each state
// carries the smallest start from which it was reached: two threads in one state have the same future, so the
// one that started further left is the only one that counts.
//
// '?' takes one UTF-8 character: the bytes that continue a character keep its state.
#include "dockerfile/shell_pattern.h"

#include <algorithm>

#include "dockerfile/text_error.h"

namespace slipway::dockerfile {
namespace {

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

/// One past the UTF-8 character at `at`; invalid bytes are characters of their own.
std::size_t character_end(std::string_view text, std::size_t at) {
  if (static_cast<unsigned char>(text[at]) < 0xC0) return at + 1;
  std::size_t end = at + 1;
  while (end < text.size() && end - at < 4 && continues_character(text[end])) ++end;
  return end;
}

std::vector<std::string_view> characters_of(std::string_view text) {
  std::vector<std::string_view> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = character_end(text, at);
    out.push_back(text.substr(at, end - at));
    at = end;
  }
  return out;
}

}  // namespace

ShellPattern ShellPattern::parse(std::string_view text) {
  ShellPattern out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '*') {
      out.add_any_text();
    } else if (c == '?') {
      out.tokens_.push_back({Kind::AnyCharacter, 0});
    } else {
      if (c == '\\') {
        c = i + 1 < text.size() ? text[i + 1] : '\0';
        if (c == '\0' || std::string_view("*?\\}/").find(c) == std::string_view::npos)
          throw TextError("in a pattern \"\\\" may stand only before *, ?, }, / and itself", i);
        ++i;
      }
      out.tokens_.push_back({Kind::Literal, c});
    }
  }
  return out;
}

void ShellPattern::add_any_text() {
  if (tokens_.empty() || tokens_.back().kind != Kind::AnyText) tokens_.push_back({Kind::AnyText, 0});
}

std::optional<std::size_t> ShellPattern::match_length(std::string_view value, bool from_end,
                                                      Length length) const {
  // Tokens as whole characters, in reading direction.
  struct Unit {
    Kind kind;
    std::string text;
  };
  std::vector<Unit> units;
  std::string run;
  const auto flush = [&] {
    for (std::string_view character : characters_of(run))
      units.push_back({Kind::Literal, std::string(character)});
    run.clear();
  };
  for (const Token& token : tokens_) {
    if (token.kind == Kind::Literal) {
      run += token.literal;
      continue;
    }
    flush();
    units.push_back({token.kind, {}});
  }
  flush();
  std::vector<std::string_view> characters = characters_of(value);
  if (from_end) {
    std::reverse(units.begin(), units.end());
    std::reverse(characters.begin(), characters.end());
  }

  std::vector<char> now(units.size() + 1, 0);
  std::vector<char> next(now.size(), 0);
  const auto close = [&units](std::vector<char>& states) {
    for (std::size_t i = 0; i < units.size(); ++i)
      if (states[i] && units[i].kind == Kind::AnyText) states[i + 1] = 1;
  };
  now[0] = 1;
  close(now);
  std::optional<std::size_t> found;
  std::size_t bytes = 0;
  for (std::size_t at = 0;; ++at) {
    if (now.back()) {
      found = bytes;
      if (length == Length::Shortest) return found;
    }
    if (at == characters.size()) return found;
    std::fill(next.begin(), next.end(), char{0});
    bool alive = false;
    for (std::size_t i = 0; i < units.size(); ++i) {
      if (!now[i]) continue;
      if (units[i].kind == Kind::AnyText) {
        if (characters[at] == "\n") continue;
        next[i] = 1;
      } else if (units[i].kind == Kind::AnyCharacter ? characters[at] != "\n"
                                                     : units[i].text == characters[at]) {
        next[i + 1] = 1;
      } else {
        continue;
      }
      alive = true;
    }
    if (!alive) return found;
    close(next);
    now.swap(next);
    bytes += characters[at].size();
  }
}

std::string ShellPattern::without_prefix(std::string_view value, Length length) const {
  return std::string(value.substr(match_length(value, false, length).value_or(0)));
}

std::string ShellPattern::without_suffix(std::string_view value, Length length) const {
  return std::string(value.substr(0, value.size() - match_length(value, true, length).value_or(0)));
}

std::optional<std::pair<std::size_t, std::size_t>> ShellPattern::find(std::string_view value,
                                                                      std::size_t from) const {
  std::vector<std::size_t> now(tokens_.size() + 1, kNone);
  std::vector<std::size_t> next(now.size(), kNone);
  const auto close = [this](std::vector<std::size_t>& states) {
    for (std::size_t i = 0; i < tokens_.size(); ++i)
      if (tokens_[i].kind == Kind::AnyText) states[i + 1] = std::min(states[i + 1], states[i]);
  };
  std::optional<std::pair<std::size_t, std::size_t>> found;
  for (std::size_t at = from;;) {
    if (!found) now[0] = std::min(now[0], at);
    close(now);
    if (now.back() != kNone && (!found || now.back() <= found->first)) {
      found = {now.back(), at};
      for (std::size_t& start : now)
        if (start != kNone && start > found->first) start = kNone;
    }
    if (at == value.size()) return found;
    const std::size_t end = character_end(value, at);
    bool alive = !found;
    std::fill(next.begin(), next.end(), kNone);
    // Literals are bytes: those of one whole character are compared at once.
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      if (now[i] == kNone) continue;
      std::size_t to = i;
      if (tokens_[i].kind != Kind::Literal && value[at] == '\n') continue;
      if (tokens_[i].kind == Kind::AnyText) {
        next[i] = std::min(next[i], now[i]);
        alive = true;
        continue;
      }
      if (tokens_[i].kind == Kind::AnyCharacter) {
        to = i + 1;
      } else {
        std::size_t matched = 0;
        while (at + matched < end && i + matched < tokens_.size() &&
               tokens_[i + matched].kind == Kind::Literal &&
               tokens_[i + matched].literal == value[at + matched])
          ++matched;
        if (at + matched != end) continue;
        to = i + matched;
      }
      next[to] = std::min(next[to], now[i]);
      alive = true;
    }
    if (!alive) return found;
    now.swap(next);
    at = end;
  }
}

std::string ShellPattern::replace(std::string_view value, std::string_view replacement, bool all,
                                  std::size_t limit) const {
  std::string out;
  std::size_t copied = 0;
  std::size_t from = 0;
  std::size_t last_end = kNone;
  while (out.size() <= limit) {
    const auto found = find(value, from);
    if (!found) break;
    const auto [start, end] = *found;
    if (start != end || start != last_end) {
      out += value.substr(copied, start - copied);
      out += replacement;
      copied = last_end = end;
    }
    if (!all) break;
    from = end > from ? end : end + 1;
    while (from < value.size() && continues_character(value[from])) ++from;
    if (from > value.size()) break;
  }
  out += value.substr(copied);
  return out;
}

}  // namespace slipway::dockerfile
