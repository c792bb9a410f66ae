#include "slipway/terminal_text.h"

namespace slipway {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct CleanCase {
  const char* name;
  std::string raw;
  std::string clean;
};
void PrintTo(const CleanCase& row, std::ostream* out) { *out << row.name; }

class CleanLine : public testing::TestWithParam<CleanCase> {};

TEST_P(CleanLine, IsHarmless) { EXPECT_EQ(clean_line(GetParam().raw), GetParam().clean); }

INSTANTIATE_TEST_SUITE_P(
    Lines, CleanLine,
    testing::Values(
        CleanCase{"plain_text_stays", "cc -c a.c", "cc -c a.c"},
        CleanCase{"tabs_stay", "a\tb", "a\tb"},
        CleanCase{"utf8_stays", "größe 日本 ✓", "größe 日本 ✓"},
        CleanCase{"colour_goes", "\x1b[1;31mred\x1b[0m", "red"},
        CleanCase{"cursor_movement_goes", "a\x1b[2J\x1b[Hb", "ab"},
        CleanCase{"private_mode_goes", "\x1b[?1049hx", "x"},
        CleanCase{"title_goes", "\x1b]0;owned\ax", "x"},
        CleanCase{"hyperlink_goes", "\x1b]8;;http://e\x1b\\text\x1b]8;;\x1b\\", "text"},
        CleanCase{"title_without_end_hides_nothing", "\x1b]0;rest of the line", "0;rest of the line"},
        CleanCase{"device_string_goes", "\x1bPq#0\x1b\\x", "x"},
        CleanCase{"charset_selection_goes", "\x1b(Bx", "x"},
        CleanCase{"lone_escape_goes", "x\x1b", "x"},
        CleanCase{"unfinished_sequence_goes", "x\x1b[31", "x"},
        CleanCase{"escape_within_a_sequence_starts_anew", "\x1b[3\x1b[1mx", "x"},
        CleanCase{"eight_bit_csi_goes", "\xC2\x9B" "31mx", "x"},
        CleanCase{"bell_backspace_nul_delete_go", std::string("a\a\b\0\x7f", 5) + "b", "ab"},
        CleanCase{"carriage_return_starts_over", "10%\r50%\r100%", "100%"},
        CleanCase{"trailing_carriage_return_goes", "dos line\r", "dos line"},
        CleanCase{"direction_overrides_go", "a\xE2\x80\xAE" "b\xE2\x81\xA6", "ab"},
        CleanCase{"bad_utf8_is_marked", "a\xFF" "b", "a\xEF\xBF\xBD" "b"},
        CleanCase{"overlong_slash_is_marked", "\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD"},
        CleanCase{"surrogate_is_marked", "\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        CleanCase{"cut_character_is_marked", "a\xE2\x82", "a\xEF\xBF\xBD\xEF\xBF\xBD"}),
    [](const auto& row) { return row.param.name; });

TEST(CleanLines, NoEmptyLineAtTheEnd) {
  EXPECT_THAT(clean_lines("a\n\nb\n"), ElementsAre("a", "", "b"));
  EXPECT_THAT(clean_lines(""), IsEmpty());
}

TEST(DisplayWidth, CountsColumnsNotBytes) {
  EXPECT_EQ(display_width("abc"), 3u);
  EXPECT_EQ(display_width("größe"), 5u);
  EXPECT_EQ(display_width("日本"), 4u);
  EXPECT_EQ(display_width("e\xCC\x81"), 1u);   // e with a combining acute
  EXPECT_EQ(display_width("🚢"), 2u);
}

TEST(FitToWidth, CutsBetweenCharacters) {
  EXPECT_EQ(fit_to_width("abcdef", 6), "abcdef");
  EXPECT_EQ(fit_to_width("abcdef", 5), "abcd…");
  EXPECT_EQ(fit_to_width("日本語", 5), "日本…");
  EXPECT_EQ(fit_to_width("日本語", 4), "日…");   // half of a wide character cannot be shown
  EXPECT_EQ(fit_to_width("größe", 3), "gr…");
  EXPECT_EQ(fit_to_width("abc", 1), "…");
  EXPECT_EQ(fit_to_width("abc", 0), "");
}

TEST(ExpandTabs, GoesToTheNextStop) {
  EXPECT_EQ(expand_tabs("a\tb"), "a       b");
  EXPECT_EQ(expand_tabs("日本\tb"), "日本    b");
  EXPECT_EQ(expand_tabs("12345678\tb"), "12345678        b");
}

TEST(LineSplitter, JoinsPortions) {
  LineSplitter splitter;
  EXPECT_THAT(splitter.feed("cc -c "), IsEmpty());
  EXPECT_EQ(splitter.rest(), "cc -c ");
  EXPECT_THAT(splitter.feed("a.c\nld\nrest"), ElementsAre("cc -c a.c", "ld"));
  EXPECT_EQ(splitter.take_rest(), "rest");
  EXPECT_EQ(splitter.take_rest(), std::nullopt);
}

TEST(LineSplitter, EscapeSequenceMayComeInTwoPortions) {
  LineSplitter splitter;
  splitter.feed("a\x1b[3");
  EXPECT_THAT(splitter.feed("1mb\n"), ElementsAre("ab"));
}

TEST(LineSplitter, EndlessLineIsCut) {
  LineSplitter splitter;
  const std::vector<std::string> lines = splitter.feed(std::string(40 * 1024, 'x'));
  EXPECT_THAT(lines, ElementsAre(std::string(16 * 1024, 'x'), std::string(16 * 1024, 'x')));
  EXPECT_EQ(splitter.take_rest(), std::string(8 * 1024, 'x'));
}

TEST(LineSplitter, CutKeepsCharactersWhole) {
  LineSplitter splitter;
  std::string euros;
  for (int i = 0; i < 6000; ++i) euros += "€";
  std::string joined;
  for (const std::string& line : splitter.feed(euros)) joined += line;
  joined += splitter.take_rest().value_or("");
  EXPECT_EQ(joined, euros);
}

}  // namespace
}  // namespace slipway
