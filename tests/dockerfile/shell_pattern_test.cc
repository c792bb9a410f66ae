#include "dockerfile/shell_pattern.h"

#include <gtest/gtest.h>

#include "dockerfile/text_error.h"

namespace slipway::dockerfile {
namespace {

ShellPattern pattern(std::string_view text) { return ShellPattern::parse(text); }

constexpr auto kShort = ShellPattern::Length::Shortest;
constexpr auto kLong = ShellPattern::Length::Longest;
constexpr std::size_t kLimit = 1 << 20;

TEST(ShellPattern, EmptyPatternMatchesBetweenCharacters) {
  EXPECT_EQ(pattern("").without_prefix("abc", kLong), "abc");
  EXPECT_EQ(pattern("").replace("aäc", "x", true, kLimit), "xaxäxcx");
  EXPECT_EQ(pattern("").replace("abc", "x", false, kLimit), "xabc");
}

TEST(ShellPattern, WildcardsStopAtTheEndOfALine) {
  EXPECT_EQ(pattern("*").without_prefix("ab\nc", kLong), "\nc");
  EXPECT_EQ(pattern("b?").without_suffix("ab\n", kLong), "ab\n");
  EXPECT_EQ(pattern("*").replace("ab\nc", "x", true, kLimit), "x\nx");
}

TEST(ShellPattern, BackslashesEscapeOnlyWhatIsSpecial) {
  EXPECT_EQ(pattern("\\*\\?\\\\\\}\\/").without_prefix("*?\\}/x", kLong), "x");
  EXPECT_THROW(pattern("\\a"), TextError);
  EXPECT_THROW(pattern("a\\"), TextError);
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
  EXPECT_LT(pattern("?").replace(std::string(10'000, 'a'), std::string(1'000, 'b'), true, 50'000).size(),
            70'000U);
}

}  // namespace
}  // namespace slipway::dockerfile
