#include "content/glob.h"

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"

// A pattern is a list of tokens, and matching follows all the ways through it at once: States has a mark for
// every token that may be next. So no pattern, however many stars it has, takes more than tokens x characters
// steps, and "could anything below this directory match?" is simply "is any mark left after the directory and
// a slash?".

namespace slipway {
namespace {

/// Length of the UTF-8 sequence at `at`, 0 if there is none.
std::size_t sequence_length(std::string_view text, std::size_t at) {
  const auto first = static_cast<unsigned char>(text[at]);
  std::size_t length = 0;
  if (first < 0x80)
    length = 1;
  else if (first >= 0xC2 && first < 0xE0)
    length = 2;
  else if (first >= 0xE0 && first < 0xF0)
    length = 3;
  else if (first >= 0xF0 && first < 0xF5)
    length = 4;
  if (length == 0 || at + length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((static_cast<unsigned char>(text[at + i]) & 0xC0) != 0x80) return 0;
  return length;
}

[[noreturn]] void bad_pattern(std::string_view pattern, std::string_view why) {
  throw InvalidInput(concat("\"", pattern, "\" is not a pattern: ", why));
}

}  // namespace

std::u32string code_points(std::string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = sequence_length(text, at);
    const auto first = static_cast<unsigned char>(text[at]);
    if (length == 0) {
      out += static_cast<char32_t>(0xDC00U + first);
      ++at;
      continue;
    }
    char32_t value = length == 1 ? first : first & (0x7FU >> length);
    for (std::size_t i = 1; i < length; ++i)
      value = (value << 6) | (static_cast<unsigned char>(text[at + i]) & 0x3FU);
    out += value;
    at += length;
  }
  return out;
}

Glob::Glob(std::string_view pattern, Dialect dialect) {
  const std::u32string text = code_points(pattern);
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = text[at++];
    if (c == U'*' && dialect == Dialect::Moby && at < text.size() && text[at] == U'*') {
      ++at;
      // "**/" is any number of directories, none too. At the end "**" is everything that is left, and moby's
      // suffix rule makes "**.log" any path that ends in ".log", not only one whose last name is ".log".
      const bool suffix = at == 2 && pattern.find_first_of("*?[]\\", 2) == std::string_view::npos;
      const bool slash = at < text.size() && text[at] == U'/';
      if (slash) ++at;
      const bool rest = at == text.size() || (suffix && !slash);
      add_any(rest ? Kind::Rest : Kind::Directories);
    } else if (c == U'*') {
      add_any(Kind::AnyText);
    } else if (c == U'?') {
      tokens_.push_back({.kind = Kind::AnyCharacter, .ranges = {}});
    } else if (c == U'[') {
      tokens_.push_back(parse_class(text, at, pattern));
    } else if (c == U'\\') {
      if (at == text.size()) bad_pattern(pattern, "it ends in a backslash that escapes nothing");
      tokens_.push_back({.kind = Kind::Literal, .literal = text[at++], .ranges = {}});
    } else {
      tokens_.push_back({.kind = Kind::Literal, .literal = c, .ranges = {}});
    }
  }
}

/// A row of the same is one: else each step would take the square of its length.
void Glob::add_any(Kind kind) {
  if (tokens_.empty() || tokens_.back().kind != kind) tokens_.push_back({.kind = kind, .ranges = {}});
}

Glob::Token Glob::parse_class(const std::u32string& pattern, std::size_t& at, std::string_view shown) const {
  Token token{.kind = Kind::Class, .ranges = {}};
  const auto character = [&] {
    if (at == pattern.size()) bad_pattern(shown, "\"[\" is not closed");
    if (pattern[at] == U'-' || pattern[at] == U']')
      bad_pattern(shown, "\"-\" or \"]\" within \"[…]\" must be escaped");
    if (pattern[at] == U'\\' && ++at == pattern.size()) bad_pattern(shown, "\"[\" is not closed");
    return pattern[at++];
  };
  if (at < pattern.size() && pattern[at] == U'^') {
    token.negated = true;
    ++at;
  }
  do {
    Range range;
    range.low = range.high = character();
    if (at < pattern.size() && pattern[at] == U'-') {
      ++at;
      range.high = character();
    }
    token.ranges.push_back(range);
    if (at == pattern.size()) bad_pattern(shown, "\"[\" is not closed");
  } while (pattern[at] != U']');
  ++at;
  return token;
}

/// Marks a token, and those after it that may stand for nothing.
void Glob::enter(States& states, std::size_t token) const {
  while (true) {
    states[token] = 1;
    if (token == tokens_.size()) return;
    const Kind kind = tokens_[token].kind;
    if (kind != Kind::AnyText && kind != Kind::Directories && kind != Kind::Rest) return;
    ++token;
  }
}

/// Whether any way is left.
bool Glob::step(const States& now, States& next, char32_t c) const {
  std::fill(next.begin(), next.end(), char{0});
  bool alive = false;
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    if (!now[i]) continue;
    const Token& token = tokens_[i];
    bool stays = false, goes_on = false;
    switch (token.kind) {
      case Kind::Literal:
        goes_on = c == token.literal;
        break;
      case Kind::AnyCharacter:
        goes_on = c != U'/';
        break;
      case Kind::AnyText:
        stays = c != U'/';
        break;
      case Kind::Rest:
        stays = true;
        break;
      case Kind::Directories:
        stays = true;
        break;
      case Kind::Class:
        goes_on = token.negated != std::ranges::any_of(token.ranges, [c](const Range& range) {
                    return range.low <= c && c <= range.high;
                  });
        break;
    }
    if (token.kind == Kind::Directories) {
      next[i] = 1;
      if (c == U'/') enter(next, i);  // only a '/' leads out of it
    } else if (stays) {
      enter(next, i);
    } else if (goes_on) {
      enter(next, i + 1);
    }
    alive |= stays || goes_on;
  }
  return alive;
}

Glob::States Glob::start() const {
  States states(tokens_.size() + 1, 0);
  enter(states, 0);
  return states;
}

bool Glob::matches(const std::u32string& name) const {
  States now = start(), next(now.size());
  for (char32_t c : name) {
    if (!step(now, next, c)) return false;
    now.swap(next);
  }
  return done(now);
}

bool Glob::matches_or_covers(const std::u32string& path) const {
  if (path.empty()) return tokens_.empty();
  if (!tokens_.empty() && tokens_.front().kind == Kind::Literal && tokens_.front().literal != path.front())
    return false;
  States now = start(), next(now.size());
  for (char32_t c : path) {
    if (c == U'/' && done(now)) return true;
    if (!step(now, next, c)) return false;
    now.swap(next);
  }
  return done(now);
}

bool Glob::may_match_below(const std::u32string& directory) const {
  States now = start(), next(now.size());
  for (char32_t c : directory) {
    if (c == U'/' && done(now)) return true;
    if (!step(now, next, c)) return false;
    now.swap(next);
  }
  if (directory.empty()) return !tokens_.empty();
  if (done(now)) return true;
  return step(now, next, U'/') && std::ranges::any_of(next, [](char mark) { return mark != 0; });
}

}  // namespace slipway
