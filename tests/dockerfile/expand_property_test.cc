// Expansion of random words: what must hold for every word, and patterns against a slow matcher that tries
// everything.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "base/strings.h"
#include "dockerfile/expand.h"
#include "dockerfile/shell_pattern.h"

namespace slipway::dockerfile {
namespace {

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  std::size_t below(std::size_t end) {
    return std::uniform_int_distribution<std::size_t>(0, end - 1)(engine_);
  }
  std::string text(std::string_view alphabet, std::size_t longest) {
    std::string out;
    for (std::size_t length = below(longest + 1); length > 0; --length)
      out += alphabet[below(alphabet.size())];
    return out;
  }

 private:
  std::mt19937 engine_;
};

std::string expand(std::string_view word, const std::map<std::string, std::string, std::less<>>& variables) {
  TextBudget budget;
  const Lookup lookup = [&](std::string_view name) -> std::optional<std::string_view> {
    const auto known = variables.find(name);
    if (known == variables.end()) return std::nullopt;
    return known->second;
  };
  return expand_word(word, lookup, '\\', budget);
}

constexpr std::string_view kHostile = "ab01_ \t$${}{}''\"\"\\\\:-+?#%/*<~\n";

/// Whether the whole of `text` matches: a star tries every length, one after the other.
bool matches(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern.front() == '*') {
    for (std::size_t taken = 0;; ++taken) {
      if (matches(pattern.substr(1), text.substr(taken))) return true;
      if (taken == text.size() || text[taken] == '\n') return false;
    }
  }
  if (text.empty()) return false;
  const bool fits = pattern.front() == '?' ? text.front() != '\n' : pattern.front() == text.front();
  return fits && matches(pattern.substr(1), text.substr(1));
}

TEST(ExpandProperty, QuotedAndEscapedTextIsItself) {
  Random random(1);
  for (int round = 0; round < 5'000; ++round) {
    const std::string text = random.text(kHostile, 20);
    std::string escaped, single, dbl = "\"";
    for (char c : text) {
      escaped += concat('\\', c);
      single += c == '\'' ? std::string("\\'") : concat('\'', c, '\'');
      if (c == '"' || c == '$' || c == '\\') dbl += '\\';
      dbl += c;
    }
    ASSERT_EQ(expand(escaped, {}), text);
    ASSERT_EQ(expand(single, {}), text);
    ASSERT_EQ(expand(dbl + '"', {}), text);
  }
}

TEST(ExpandProperty, ValuesAreNeverExpandedAgain) {
  Random random(2);
  for (int round = 0; round < 5'000; ++round) {
    const std::string value = random.text(kHostile, 20);
    const std::map<std::string, std::string, std::less<>> variables = {{"v", value}};
    ASSERT_EQ(expand("$v", variables), value);
    ASSERT_EQ(expand("\"${v}\"", variables), value);
    ASSERT_EQ(expand("${no:-$v}", variables), value);
    ASSERT_EQ(expand("${v+\"$v\"}", variables), value);
    ASSERT_EQ(expand("${v//no/$v}", variables), value);
  }
}

TEST(ExpandProperty, AnyTextGivesTextOrAnErrorInsideIt) {
  Random random(3);
  const std::map<std::string, std::string, std::less<>> variables = {{"a", "x y"}, {"b", ""}, {"0", "*"}};
  int expanded = 0;
  for (int round = 0; round < 50'000; ++round) {
    const std::string word = random.text(kHostile, 24);
    try {
      expand(word, variables);
      ++expanded;
    } catch (const TextError& error) {
      ASSERT_LT(error.offset(), word.size()) << word;
      ASSERT_FALSE(error.message().empty());
    }
  }
  EXPECT_GT(expanded, 5'000);
}

TEST(ExpandProperty, JoinedPiecesExpandToJoinedTexts) {
  Random random(4);
  const std::map<std::string, std::string, std::less<>> variables = {{"a", "x y"}, {"b", ""}};
  const std::vector<std::string> pieces = {"${a}",  "${b:-c}", "${no-${a}}", "'$a'",      "\"$a\"",
                                           "plain", "\\$a",    "${a%y}",     "${a/x/$b}", " "};
  for (int round = 0; round < 5'000; ++round) {
    std::string word, text;
    for (std::size_t count = random.below(6); count > 0; --count) {
      const std::string& piece = pieces[random.below(pieces.size())];
      word += piece;
      text += expand(piece, variables);
    }
    ASSERT_EQ(expand(word, variables), text) << word;
  }
}

TEST(ShellPatternProperty, TrimsAsTheSlowMatcherSays) {
  Random random(5);
  for (int round = 0; round < 20'000; ++round) {
    const std::string pattern = random.text("aab*?\n", 6);
    const std::string value = random.text("aab\n", 10);
    const ShellPattern compiled = ShellPattern::parse(pattern);
    std::string short_prefix = value, long_prefix = value, short_suffix = value, long_suffix = value;
    for (std::size_t length = value.size() + 1; length-- > 0;) {
      if (matches(pattern, std::string_view(value).substr(0, length))) short_prefix = value.substr(length);
      if (matches(pattern, std::string_view(value).substr(value.size() - length)))
        short_suffix = value.substr(0, value.size() - length);
    }
    for (std::size_t length = 0; length <= value.size(); ++length) {
      if (matches(pattern, std::string_view(value).substr(0, length))) long_prefix = value.substr(length);
      if (matches(pattern, std::string_view(value).substr(value.size() - length)))
        long_suffix = value.substr(0, value.size() - length);
    }
    using Length = ShellPattern::Length;
    ASSERT_EQ(compiled.without_prefix(value, Length::Shortest), short_prefix) << pattern << " in " << value;
    ASSERT_EQ(compiled.without_prefix(value, Length::Longest), long_prefix) << pattern << " in " << value;
    ASSERT_EQ(compiled.without_suffix(value, Length::Shortest), short_suffix) << pattern << " in " << value;
    ASSERT_EQ(compiled.without_suffix(value, Length::Longest), long_suffix) << pattern << " in " << value;
  }
}

TEST(ShellPatternProperty, ReplacesAsTheSlowMatcherSays) {
  Random random(6);
  for (int round = 0; round < 20'000; ++round) {
    const std::string pattern = random.text("aab*?", 5);
    const std::string value = random.text("aab\n", 10);
    std::string all, first;
    bool replaced = false;
    std::size_t last_end = std::string::npos;
    for (std::size_t at = 0; at <= value.size();) {
      std::size_t length = value.size() - at;
      while (length > 0 && !matches(pattern, std::string_view(value).substr(at, length))) --length;
      const bool found =
          matches(pattern, std::string_view(value).substr(at, length)) && (length > 0 || at != last_end);
      if (found) {
        if (!replaced) first = concat(value.substr(0, at), "-", value.substr(at + length));
        replaced = true;
        all += '-';
        last_end = at + length;
      }
      if (!found || length == 0) {
        if (at < value.size()) all += value[at];
        ++at;
      } else {
        at += length;
      }
    }
    const ShellPattern compiled = ShellPattern::parse(pattern);
    ASSERT_EQ(compiled.replace(value, "-", true, 1000), all) << pattern << " in " << value;
    ASSERT_EQ(compiled.replace(value, "-", false, 1000), replaced ? first : value)
        << pattern << " in " << value;
  }
}

}  // namespace
}  // namespace slipway::dockerfile
