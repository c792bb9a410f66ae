#include "dockerfile/expand.h"

#include <gtest/gtest.h>

#include <map>

#include "base/strings.h"

namespace slipway::dockerfile {
namespace {

const std::map<std::string, std::string, std::less<>>& variables() {
  static const std::map<std::string, std::string, std::less<>> kVariables = {
      {"v", "value"},     {"empty", ""},       {"path", "/usr/local/lib/libfoo.so.1.2"},
      {"stars", "a*b*c"}, {"words", "80 443"}, {"dollar", "$v"},
      {"glob", "*b"},     {"utf", "äöü"},      {"a_1", "under"}};
  return kVariables;
}

Lookup lookup() {
  return [](std::string_view name) -> std::optional<std::string_view> {
    const auto known = variables().find(name);
    if (known == variables().end()) return std::nullopt;
    return known->second;
  };
}

std::string expand(std::string_view word, char escape = '\\') {
  TextBudget budget;
  return expand_word(word, lookup(), escape, budget);
}

struct Case {
  const char* name;
  const char* word;
  const char* expected;
};
void PrintTo(const Case& row, std::ostream* out) { *out << row.word; }

class Expand : public ::testing::TestWithParam<Case> {};
TEST_P(Expand, GivesText) { EXPECT_EQ(expand(GetParam().word), GetParam().expected); }

INSTANTIATE_TEST_SUITE_P(
    Words, Expand,
    ::testing::Values(
        Case{"Plain", "abc", "abc"}, Case{"Simple", "x$v", "xvalue"}, Case{"Braced", "${v}s", "values"},
        Case{"NameEndsAtOther", "$v-x", "value-x"}, Case{"Underscore", "$a_1", "under"},
        Case{"Unset", "a${nope}b$nope", "ab"}, Case{"DollarAtEnd", "cost$", "cost$"},
        Case{"DollarThenOther", "$.x", "$.x"}, Case{"Positional", "a$1b", "ab"},
        Case{"EscapedDollar", "\\$v", "$v"}, Case{"EscapedBrace", "\\${v}", "${v}"},
        Case{"EscapedLetter", "\\n", "n"}, Case{"EscapeAtEnd", "a\\", "a"},
        Case{"SingleQuotes", "'$v'", "$v"}, Case{"SingleQuotesKeepEscapes", "'a\\b'", "a\\b"},
        Case{"DoubleQuotes", "\"$v x\"", "value x"}, Case{"DoubleQuotesKeepOtherEscapes", "\"a\\b\"", "a\\b"},
        Case{"DoubleQuotesEscapes", "\"\\\"\\$v\\\\\"", "\"$v\\"}, Case{"SingleInDouble", "\"it's\"", "it's"},
        Case{"QuotesInTheMiddle", "a\" \"b' 'c", "a b c"}, Case{"OnePassOnly", "$dollar", "$v"},
        Case{"DefaultUnused", "${v:-d}", "value"}, Case{"DefaultUnset", "${nope:-d}", "d"},
        Case{"DefaultEmpty", "${empty:-d}", "d"}, Case{"DashUnset", "${nope-d}", "d"},
        Case{"DashEmpty", "${empty-d}", ""}, Case{"DefaultNothing", "${nope:-}", ""},
        Case{"DefaultNested", "${nope:-${other:-$v}}", "value"},
        Case{"DefaultQuoted", "${nope:-\"a}b\"}", "a}b"}, Case{"PlusSet", "${v:+w}", "w"},
        Case{"PlusEmpty", "${empty:+w}", ""}, Case{"PlainPlusEmpty", "${empty+w}", "w"},
        Case{"PlusUnset", "${nope+w}", ""}, Case{"RequiredSet", "${v:?no}", "value"},
        Case{"RequiredEmptyAllowed", "${empty?no}", ""}),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Patterns, Expand,
    ::testing::Values(
        Case{"ShortPrefix", "${path#*/}", "usr/local/lib/libfoo.so.1.2"},
        Case{"LongPrefix", "${path##*/}", "libfoo.so.1.2"},
        Case{"ShortSuffix", "${path%.*}", "/usr/local/lib/libfoo.so.1"},
        Case{"LongSuffix", "${path%%.*}", "/usr/local/lib/libfoo"}, Case{"NoMatch", "${v#x}", "value"},
        Case{"Question", "${v#??}", "lue"}, Case{"WholeValue", "${v%%*}", ""},
        Case{"EscapedStar", "${stars#a\\*}", "b*c"}, Case{"QuotedStarIsAWildcard", "${stars#'a*'}", "*b*c"},
        Case{"PatternFromVariable", "${stars#$glob}", "*c"},
        Case{"QuotedVariableIsAPattern", "${stars%%\"$glob*\"}", ""},
        Case{"ReplaceFirst", "${path/lib/LIB}", "/usr/local/LIB/libfoo.so.1.2"},
        Case{"ReplaceAll", "${path//lib/LIB}", "/usr/local/LIB/LIBfoo.so.1.2"},
        Case{"ReplaceLongest", "${path/l*l/X}", "/usr/Xibfoo.so.1.2"},
        Case{"ReplaceByNothing", "${v//a/}", "vlue"},
        Case{"ReplaceSlash", "${path//\\//-}", "-usr-local-lib-libfoo.so.1.2"},
        Case{"ReplaceAny", "${v//?/x}", "xxxxx"}, Case{"ReplaceStarInEmpty", "${empty/*/x}", "x"},
        Case{"CharactersNotBytes", "${utf#?}", "öü"}, Case{"ReplaceCharacters", "${utf//?/.}", "..."},
        Case{"SuffixCharacters", "${utf%?}", "äö"}, Case{"ReplacementKeepsEscapes", "${v/a/\\}}", "v\\}lue"},
        Case{"PatternEscapesSlash", "${path/\\/usr/x}", "x/local/lib/libfoo.so.1.2"},
        Case{"PatternEscapesBrace", "${nope-a}${v%l\\}e}", "avalue"},
        Case{"EscapedInDoubleQuotes", "${stars#\"a\\*\"}", "a*b*c"},
        Case{"ReplaceEmptyPattern", "${v///-}", "-v-a-l-u-e-"},
        Case{"ReplaceWithVariable", "${v/a/$empty-}", "v-lue"}, Case{"UnsetValue", "${nope##*/}", ""}),
    [](const auto& row) { return row.param.name; });

struct Bad {
  const char* name;
  const char* word;
  std::size_t offset;
  const char* message;
};
void PrintTo(const Bad& row, std::ostream* out) { *out << row.word; }

class ExpandBad : public ::testing::TestWithParam<Bad> {};
TEST_P(ExpandBad, SaysWhere) {
  try {
    expand(GetParam().word);
    FAIL() << "not refused";
  } catch (const TextError& error) {
    EXPECT_EQ(error.offset(), GetParam().offset);
    EXPECT_NE(error.message().find(GetParam().message), std::string::npos) << error.message();
  }
}
INSTANTIATE_TEST_SUITE_P(Rows, ExpandBad,
                         ::testing::Values(Bad{"SingleQuote", "ab'c", 2, "single quote"},
                                           Bad{"DoubleQuote", "a\"c", 1, "double quote"},
                                           Bad{"Brace", "ab${v", 2, "closing }"},
                                           Bad{"BraceOnly", "${", 0, "closing }"},
                                           Bad{"NoName", "x${}", 1, "bad substitution"},
                                           Bad{"DoubleBrace", "${{v}}", 0, "bad substitution"},
                                           Bad{"Colon", "${:x}", 0, "bad substitution"},
                                           Bad{"Modifier", "${v^x}", 0, "bad substitution"},
                                           Bad{"ColonOther", "${v:x}", 0, "bad substitution"},
                                           Bad{"RequiredUnset", "a${nope:?}", 1, "nope: must be set"},
                                           Bad{"RequiredEmpty", "${empty:?}", 0, "empty: may not be empty"},
                                           Bad{"RequiredMessage", "${nope?set $v}", 0, "nope: set value"},
                                           Bad{"NoSecondSlash", "${v/a}", 0, "lacks the /"},
                                           Bad{"PatternEscape", "x${v#\\v}", 1, "only before"},
                                           Bad{"DefaultOpen", "${nope:-x", 0, "closing }"}),
                         [](const auto& row) { return row.param.name; });

TEST(ExpandWord, TakesTheEscapeOfTheFile) {
  EXPECT_EQ(expand("C:\\x`$v", '`'), "C:\\x$v");
  EXPECT_EQ(expand("\"a`\"b\"", '`'), "a\"b");
}

TEST(ExpandWord, RefusesDeepNesting) {
  std::string word;
  for (int i = 0; i < 100'000; ++i) word += "${nope:-";
  EXPECT_THROW(expand(word), TextError);
}

TEST(ExpandWord, RefusesTextThatGrowsTooLong) {
  const std::string big(300'000, 'x');
  const Lookup big_lookup = [&](std::string_view) { return std::optional<std::string_view>(big); };
  TextBudget budget;
  EXPECT_EQ(expand_word("$a$a", big_lookup, '\\', budget).size(), 600'000U);
  EXPECT_THROW(expand_word("$a$a$a$a", big_lookup, '\\', budget), TextError);
  EXPECT_THROW(expand_word("${a//x/yyyyyyyy}", big_lookup, '\\', budget), TextError);
}

TEST(ExpandWord, StopsWhenTheBudgetIsSpent) {
  TextBudget budget(100);
  const std::string text(30, 'x');
  const Lookup some = [&](std::string_view) { return std::optional<std::string_view>(text); };
  EXPECT_NO_THROW(expand_word("$a", some, '\\', budget));
  EXPECT_THROW(expand_word("$a", some, '\\', budget), TextError);
}

TEST(ExpandWords, SplitsUnquotedValues) {
  TextBudget budget;
  EXPECT_EQ(expand_words("$words", lookup(), '\\', budget), (std::vector<std::string>{"80", "443"}));
  EXPECT_EQ(expand_words("\"$words\"", lookup(), '\\', budget), (std::vector<std::string>{"80 443"}));
  EXPECT_EQ(expand_words("a${words}b", lookup(), '\\', budget), (std::vector<std::string>{"a80", "443b"}));
  EXPECT_EQ(expand_words("$empty", lookup(), '\\', budget), std::vector<std::string>{});
  EXPECT_EQ(expand_words("'' a''", lookup(), '\\', budget), (std::vector<std::string>{"a"}));
  EXPECT_EQ(expand_words("80${nope:-1 2}", lookup(), '\\', budget), (std::vector<std::string>{"801", "2"}));
}

std::string expand_as(std::string_view text, dockerfile::TextRules rules) {
  dockerfile::TextBudget budget;
  const dockerfile::Lookup lookup = [](std::string_view name) -> std::optional<std::string_view> {
    if (name == "A") return "1";
    return std::nullopt;
  };
  return dockerfile::expand_text(text, lookup, '\\', budget, rules);
}

TEST(ExpandText, OfADocumentLeavesQuotesAlone) {
  EXPECT_EQ(expand_as("it's \"$A\" '$A' \\$A $B.\n", {dockerfile::Quotes::Ordinary, false}),
            "it's \"1\" '1' $A .\n");
}

TEST(ExpandText, OfACommandKeepsQuotesAndWhatIsNotSet) {
  const dockerfile::TextRules rules{dockerfile::Quotes::Keep, true};
  EXPECT_EQ(expand_as("echo \"$A $B\" '$A' ${A} ${B:-x$A} ${A:+y}", rules),
            "echo \"1 $B\" '$A' 1 ${B:-x$A} y");
  EXPECT_THROW(expand_as("echo 'open", rules), dockerfile::TextError);
}

TEST(ExpandText, MayBeLongItself) {
  const std::string text(dockerfile::kMaxExpandedWord * 2, 'x');
  EXPECT_EQ(expand_as(text, {dockerfile::Quotes::Ordinary, false}), text);
}

}  // namespace
}  // namespace slipway::dockerfile
