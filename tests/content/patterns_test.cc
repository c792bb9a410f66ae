#include "content/patterns.h"

#include <gmock/gmock.h>

#include "base/error.h"

namespace slipway {
namespace {

struct GlobCase {
  const char* name;
  const char* pattern;
  const char* text;
  bool matches;
};
class GlobMatch : public testing::TestWithParam<GlobCase> {};

TEST_P(GlobMatch, FollowsFilepathMatch) {
  EXPECT_EQ(glob_match(GetParam().pattern, GetParam().text), GetParam().matches);
}
INSTANTIATE_TEST_SUITE_P(
    Go, GlobMatch,
    testing::Values(
        GlobCase{"literal", "abc", "abc", true}, GlobCase{"literal_is_whole", "ab", "abc", false},
        GlobCase{"star", "a*", "abc", true}, GlobCase{"star_is_also_nothing", "abc*", "abc", true},
        GlobCase{"star_in_the_middle", "a*c", "abbc", true},
        GlobCase{"many_stars", "a*b*c*d*e*/f", "axbxcxdxe/f", true},
        GlobCase{"many_stars_across", "a*b*c*d*e*/f", "axbxcxdxexxx/fff", false},
        GlobCase{"star_stops_at_slash", "a*", "ab/c", false}, GlobCase{"question_is_one", "a?c", "abc", true},
        GlobCase{"question_is_no_slash", "a?c", "a/c", false},
        GlobCase{"question_is_one_character", "a?b",
                 "a\xe2\x98\xba"
                 "b",
                 true},
        GlobCase{"two_questions_are_two", "a??b",
                 "a\xe2\x98\xba"
                 "b",
                 false},
        GlobCase{"class", "a[bc]d", "acd", true}, GlobCase{"class_range", "a[b-d]e", "ace", true},
        GlobCase{"class_range_outside", "a[b-d]e", "aee", false},
        GlobCase{"negated_class", "a[^b-d]e", "axe", true},
        GlobCase{"negated_class_inside", "a[^b-d]e", "ace", false},
        GlobCase{"escaped_star", "a\\*b", "a*b", true},
        GlobCase{"escaped_star_is_no_star", "a\\*b", "axb", false},
        GlobCase{"escape_in_class", "[\\]a]", "]", true}, GlobCase{"bang_is_no_negation", "[!a]", "!", true},
        GlobCase{"bracket_alone_closes_nothing", "a]", "a]", true}, GlobCase{"empty", "", "", true},
        GlobCase{"double_star_is_two_stars", "a**", "ab/c", false},
        GlobCase{"bytes_that_are_no_utf8", "a?", "a\xe9", true}),
    [](const auto& row) { return row.param.name; });

struct BadPattern {
  const char* name;
  const char* pattern;
};
class BadGlob : public testing::TestWithParam<BadPattern> {};
TEST_P(BadGlob, IsRefused) { EXPECT_THROW(glob_match(GetParam().pattern, "x"), InvalidInput); }
INSTANTIATE_TEST_SUITE_P(Go, BadGlob,
                         testing::Values(BadPattern{"open_class", "a["}, BadPattern{"empty_class", "[]a]"},
                                         BadPattern{"open_range", "[a-"},
                                         BadPattern{"range_without_end", "[a-]"},
                                         BadPattern{"range_without_start", "[-x]"},
                                         BadPattern{"unclosed", "[abc"}, BadPattern{"negated_empty", "[^]"},
                                         BadPattern{"lone_escape", "a\\"}),
                         [](const auto& row) { return row.param.name; });

TEST(Glob, ManyStarsTakeNoExponentialTime) {
  std::string pattern, text;
  for (int i = 0; i < 50; ++i) pattern += "*a";
  for (int i = 0; i < 2000; ++i) text += 'a';
  EXPECT_FALSE(glob_match(pattern + "b", text));
}

TEST(Glob, EscapedCharactersAreNoWildcards) {
  EXPECT_TRUE(has_wildcards("/src/*.c"));
  EXPECT_TRUE(has_wildcards("/a[bc]"));
  EXPECT_FALSE(has_wildcards("/a\\*b"));
  EXPECT_FALSE(has_wildcards("/plain/name"));
}

struct IgnoreCase {
  const char* name;
  std::vector<std::string> patterns;
  const char* path;
  bool excluded;
};
class Ignore : public testing::TestWithParam<IgnoreCase> {};
TEST_P(Ignore, FollowsPatternmatcher) {
  EXPECT_EQ(PatternMatcher(GetParam().patterns).excludes(GetParam().path), GetParam().excluded);
}
INSTANTIATE_TEST_SUITE_P(
    Moby, Ignore,
    testing::Values(
        IgnoreCase{"name", {"a"}, "a", true}, IgnoreCase{"covers_contents", {"a"}, "a/b/c", true},
        IgnoreCase{"only_whole_names", {"a"}, "ab", false}, IgnoreCase{"not_deeper", {"b"}, "a/b", false},
        IgnoreCase{"star_one_level", {"*.log"}, "x.log", true},
        IgnoreCase{"star_not_deeper", {"*.log"}, "a/x.log", false},
        IgnoreCase{"any_depth", {"**/*.log"}, "a/b/x.log", true},
        IgnoreCase{"any_depth_is_also_none", {"**/*.log"}, "x.log", true},
        IgnoreCase{"any_depth_name", {"**/node_modules"}, "a/node_modules/x/y", true},
        IgnoreCase{"any_depth_in_the_middle", {"a/**/z"}, "a/b/c/z", true},
        IgnoreCase{"any_depth_in_the_middle_none", {"a/**/z"}, "a/z", true},
        IgnoreCase{"any_depth_wants_whole_names", {"a/**/z"}, "a/xz", false},
        IgnoreCase{"all_below", {"a/**"}, "a/b/c", true},
        IgnoreCase{"all_below_not_itself", {"a/**"}, "a", false},
        IgnoreCase{"everything", {"**"}, "a/b", true}, IgnoreCase{"suffix_rule", {"**.log"}, "a/x.log", true},
        IgnoreCase{"everything_but", {"*", "!keep"}, "keep", false},
        IgnoreCase{"everything_but_other", {"*", "!keep"}, "other", true},
        IgnoreCase{"everything_but_below", {"*", "!keep"}, "keep/x/y", false},
        IgnoreCase{"but_below_directory", {"a", "!a/b"}, "a/b/c", false},
        IgnoreCase{"but_below_directory_sibling", {"a", "!a/b"}, "a/c", true},
        IgnoreCase{"last_wins", {"!a", "a"}, "a", true},
        IgnoreCase{"twice", {"*.md", "!README*.md", "README-secret.md"}, "README-secret.md", true},
        IgnoreCase{"twice_between", {"*.md", "!README*.md", "README-secret.md"}, "README.md", false},
        IgnoreCase{"leading_slash_matches_nothing", {"/a"}, "a", false},
        IgnoreCase{"trailing_slash", {"a/"}, "a/b", true}, IgnoreCase{"dotted", {"./a/../b"}, "b", true},
        IgnoreCase{"question", {"a?"}, "ab", true},
        IgnoreCase{"question_mark_is_one_umlaut", {"?"}, "\xc3\xbc", true},
        IgnoreCase{"dot_is_no_wildcard", {"a.b"}, "axb", false},
        IgnoreCase{"regex_signs_are_literal", {"a+(b)|c$"}, "a+(b)|c$", true},
        IgnoreCase{"root_is_never_excluded", {".", "/", "**"}, "", false},
        IgnoreCase{"blank_is_nothing", {" ", ""}, "a", false}),
    [](const auto& row) { return row.param.name; });

TEST(PatternMatcher, RefusesWhatIsNoPattern) {
  EXPECT_THROW(PatternMatcher({"!"}), InvalidInput);
  EXPECT_THROW(PatternMatcher({"a["}), InvalidInput);
}

TEST(PatternMatcher, TellsThePatternThatDecided) {
  const PatternMatcher matcher({"*.log", "!keep.log", "**/tmp"});
  EXPECT_EQ(matcher.excluded_by("a.log"), "*.log");
  EXPECT_EQ(matcher.excluded_by("x/tmp/y"), "**/tmp");
  EXPECT_EQ(matcher.excluded_by("keep.log"), std::nullopt);
}

struct BelowCase {
  const char* name;
  std::vector<std::string> patterns;
  const char* directory;
  bool may;
};
class IncludeBelow : public testing::TestWithParam<BelowCase> {};
TEST_P(IncludeBelow, SaysWhetherToWalkOn) {
  EXPECT_EQ(PatternMatcher(GetParam().patterns).may_include_below(GetParam().directory), GetParam().may);
}
INSTANTIATE_TEST_SUITE_P(Moby, IncludeBelow,
                         testing::Values(BelowCase{"no_negation", {"a"}, "a", false},
                                         BelowCase{"path_below", {"*", "!a/b/c"}, "a", true},
                                         BelowCase{"path_below_deeper", {"*", "!a/b/c"}, "a/b", true},
                                         BelowCase{"other_path", {"*", "!a/b/c"}, "x", false},
                                         BelowCase{"beside", {"*", "!a/b/c"}, "a/x", false},
                                         BelowCase{"any_depth", {"*", "!**/*.go"}, "x/y", true},
                                         BelowCase{"too_deep_for_star", {"*", "!*/*.go"}, "x/y", false},
                                         BelowCase{"star", {"*", "!*/*.go"}, "x", true},
                                         BelowCase{
                                             "earlier_negation_is_overruled", {"!a/b", "a"}, "a", false}),
                         [](const auto& row) { return row.param.name; });

TEST(Glob, ARowOfStarsTakesAsLongAsOne) {
  EXPECT_TRUE(glob_match(std::string(30'000, '*') + "x", std::string(200, 'a') + "x"));
  EXPECT_FALSE(glob_match(std::string(30'000, '*') + "x", std::string(200, 'a')));
  std::string directories;
  for (int i = 0; i < 30'000; ++i) directories += "**/";
  EXPECT_TRUE(PatternMatcher({directories + "x"}).excludes("a/b/x"));
  EXPECT_FALSE(PatternMatcher({directories + "x"}).excludes(std::string(200, 'a')));
}

TEST(PatternMatcher, SaysWhatPatternsOfInclusionMayFindBelow) {
  const PatternMatcher included({"a/*/c", "**/deep", "!x/y"});
  EXPECT_TRUE(included.may_exclude_below("a"));
  EXPECT_TRUE(included.may_exclude_below("any/where"));
  const PatternMatcher narrow({"a/*/c", "!x/y"});
  EXPECT_TRUE(narrow.may_exclude_below("a/b"));
  EXPECT_FALSE(narrow.may_exclude_below("b"));
  EXPECT_FALSE(narrow.may_exclude_below("x"));
}

}  // namespace
}  // namespace slipway
