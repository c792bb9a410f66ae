// The small comparisons of slipway-exec, as ordinary code.
#include "accel/exec/matching.h"

#include <fnmatch.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace slipway::twin_file {
namespace {

TEST(TwinMatching, PatternsAreThoseOfFnmatch) {
  const struct {
    const char *pattern, *text;
    bool matches;
  } rows[] = {
      {"", "", true},
      {"", "a", false},
      {"*", "", true},
      {"*", "a/b", true},
      {"a*c", "abbc", true},
      {"a*c", "abbd", false},
      {"*a*b*", "xxaxxb", true},
      {"?", "", false},
      {"?b", "ab", true},
      {"[abc]x", "bx", true},
      {"[!abc]x", "bx", false},
      {"[^abc]x", "dx", true},
      {"[a-c]", "b", true},
      {"[a-c]", "d", false},
      {"[]a]", "]", true},
      {"[a-]", "-", true},
      {"[", "[", true},
      {"[a", "[a", true},
      {"\\*", "*", true},
      {"\\*", "a", false},
      {"\\", "\\", false},
      {"-march=*", "-march=native", true},
      {".*", ".hidden", true},
      {"*", ".hidden", true},
      {"[\\]]", "]", true},
      {"a[", "a[", true},
      {"\xff*", "\xff", true},
  };
  for (const auto& row : rows)
    EXPECT_EQ(matches_pattern(row.pattern, row.text), row.matches) << row.pattern << " " << row.text;
}

TEST(TwinMatching, PatternsOfAnySortAreAnsweredAsTheLibraryDoes) {
  std::mt19937 random(20240229);
  const std::string pattern_letters = "ab*?[]!^-\\", text_letters = "ab[]-\\!";
  const auto make = [&](const std::string& letters) {
    std::string out;
    for (auto size = random() % 7; size > 0; --size) out += letters[random() % letters.size()];
    return out;
  };
  for (int i = 0; i < 200'000; ++i) {
    const std::string pattern = make(pattern_letters), text = make(text_letters);
    if (!is_plain_pattern(pattern.c_str())) continue;
    ASSERT_EQ(matches_pattern(pattern.c_str(), text.c_str()),
              ::fnmatch(pattern.c_str(), text.c_str(), 0) == 0)
        << pattern << " " << text;
  }
}

TEST(TwinMatching, ManyStarsDoNotTakeForever) {
  std::string pattern;
  for (int i = 0; i < 50; ++i) pattern += "*a";
  EXPECT_FALSE(matches_pattern((pattern + "b").c_str(), std::string(5000, 'a').c_str()));
}

TEST(TwinMatching, LocaleHasToHaveAKnownCharset) {
  const struct {
    std::vector<const char*> environment;
    bool known;
  } rows[] = {
      {{}, true},
      {{"LANG=C"}, true},
      {{"LANG=POSIX"}, true},
      {{"LANG=en_US.UTF-8"}, true},
      {{"LANG=C.utf8"}, true},
      {{"LANG=en_US.utf8"}, true},
      {{"LANG=de_DE"}, false},
      {{"LANG=de_DE.ISO-8859-1"}, false},
      {{"LANG=de_DE.UTF-8@euro"}, false},
      {{"LANG=de_DE", "LC_ALL="}, false},
      {{"LANG=de_DE", "LC_ALL=C"}, true},
      {{"LANG=C", "LC_CTYPE=ja_JP.eucJP"}, false},
      {{"LC_CTYPE=ja_JP.eucJP", "LC_ALL=C.UTF-8"}, true},
      {{"LC_ALL=C", "LC_MESSAGES=de_DE.UTF-8", "LANGUAGE=de"}, true},  // which count for nothing
      {{"LANG=de_DE.UTF-8"}, false},  // translations may be in another character set
      {{"LANG=C.UTF-8", "LC_TIME=de_DE.UTF-8"}, false},
      {{"LANGUAGE=de_DE", "LANG=C.UTF-8"}, false},
      {{"LANGUAGE=en_US:en:C", "LANG=en_US.UTF-8"}, true},
      {{"LANGUAGE=en_GB", "LC_ALL=en_US.UTF-8"}, false},
      {{"LANGUAGE=C", "LC_ALL=C"}, true},
  };
  for (auto row : rows) {
    std::string shown;
    for (const char* entry : row.environment) shown += std::string(entry) + " ";
    row.environment.push_back(nullptr);
    EXPECT_EQ(has_plain_locale(row.environment.data()), row.known) << shown;
  }
}

TEST(TwinMatching, LastPartIsWhatFollowsTheSlash) {
  EXPECT_STREQ(last_part("/usr/bin/sed"), "sed");
  EXPECT_STREQ(last_part("sed"), "sed");
  EXPECT_STREQ(last_part("/"), "");
  EXPECT_STREQ(last_part(""), "");
}

}  // namespace
}  // namespace slipway::twin_file
