#include "dockerfile/shell_pattern.h"

#include <gtest/gtest.h>

namespace slipway::dockerfile {
namespace {

ShellPattern pattern(std::string_view text) {
  ShellPattern out;
  for (char c : text) {
    if (c == '*') {
      out.add_any_text();
    } else if (c == '?') {
      out.add_any_character();
    } else {
      out.add_literal(c);
    }
  }
  return out;
}

constexpr auto kShort = ShellPattern::Length::Shortest;
constexpr auto kLong = ShellPattern::Length::Longest;
constexpr std::size_t kLimit = 1 << 20;

TEST(ShellPattern, EmptyPatternChangesNothing) {
  EXPECT_EQ(pattern("").without_prefix("abc", kLong), "abc");
  EXPECT_EQ(pattern("").replace("abc", "x", true, kLimit), "abc");
}

TEST(ShellPattern, ReplaceTakesTheLeftmostLongestMatch) {
  EXPECT_EQ(pattern("a*b").replace("xaabbxab", "-", false, kLimit), "x-");
  EXPECT_EQ(pattern("ab").replace("xabab", "-", true, kLimit), "x--");
  EXPECT_EQ(pattern("b?").replace("abcbdb", "-", true, kLimit), "a--b");
  EXPECT_EQ(pattern("aab").replace("aaab", "-", false, kLimit), "a-");
}

TEST(ShellPattern, SuffixAndPrefixAgreeWithTheShell) {
  EXPECT_EQ(pattern("?*").without_prefix("abc", kShort), "bc");
  EXPECT_EQ(pattern("*b").without_prefix("abab", kShort), "ab");
  EXPECT_EQ(pattern("*b").without_prefix("abab", kLong), "");
  EXPECT_EQ(pattern("a*").without_suffix("abab", kShort), "ab");
  EXPECT_EQ(pattern("a*").without_suffix("abab", kLong), "");
}

TEST(ShellPattern, ManyStarsDoNotExplode) {
  std::string stars;
  for (int i = 0; i < 60; ++i) stars += "a*";
  const std::string value(20'000, 'a');
  EXPECT_EQ(pattern(stars + "b").without_prefix(value, kLong), value);
  EXPECT_EQ(pattern(stars + "b").replace(value, "x", true, kLimit), value);
}

TEST(ShellPattern, ReplaceStopsAtItsLimit) {
  EXPECT_LT(pattern("?").replace(std::string(10'000, 'a'), std::string(1'000, 'b'), true, 50'000).size(), 70'000U);
}

}  // namespace
}  // namespace slipway::dockerfile
