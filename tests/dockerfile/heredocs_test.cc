#include "dockerfile/heredocs.h"

#include <gtest/gtest.h>

#include "dockerfile/commands.h"

namespace slipway::dockerfile {
namespace {

Instruction first_of(std::string_view text) { return parse("Dockerfile", text).instructions.at(0); }

struct Row {
  const char* name;
  const char* word;
  const char* heredoc;  ///< its name; empty if the word begins none
  bool expand = true;
  bool strip_tabs = false;
  int fd = 0;
};
void PrintTo(const Row& row, std::ostream* out) { *out << row.word; }

class HeredocWord : public ::testing::TestWithParam<Row> {};
TEST_P(HeredocWord, IsReadAsBuildKitReadsIt) {
  const std::optional<Heredoc> found = heredoc_of_word(GetParam().word);
  ASSERT_EQ(found.has_value(), *GetParam().heredoc != '\0');
  if (!found) return;
  EXPECT_EQ(found->name, GetParam().heredoc);
  EXPECT_EQ(found->expand, GetParam().expand);
  EXPECT_EQ(found->strip_tabs, GetParam().strip_tabs);
  EXPECT_EQ(found->fd, GetParam().fd);
}
INSTANTIATE_TEST_SUITE_P(
    Words, HeredocWord,
    ::testing::Values(
        Row{"Plain", "<<EOF", "EOF"}, Row{"Tabs", "<<-EOF", "EOF", true, true},
        Row{"Descriptor", "3<<EOF", "EOF", true, false, 3},
        Row{"HugeDescriptor", "99999999999<<E", "E", true, false, 2147483647},
        Row{"SingleQuoted", "<<'EOF'", "EOF", false}, Row{"DoubleQuoted", "<<-\"EOF\"", "EOF", false, true},
        Row{"QuotedInPart", "<<E'O'F", "EOF", false}, Row{"QuotedBlanks", "<<'the end'", "the end", false},
        Row{"EscapedLetterStillExpands", "<<\\EOF", "EOF"}, Row{"EscapedQuote", "<<E\\'F", "E'F"},
        Row{"Variable", "<<$x", "$x"}, Row{"Dots", "<<a.txt", "a.txt"}, Row{"Path", "<</etc/x", "/etc/x"},
        Row{"OperatorsBelongToTheName", "<<EOF>x|y;", "EOF>x|y;"}, Row{"BlankBefore", "<< EOF", "EOF"},
        Row{"HereString", "<<<EOF", ""}, Row{"FourLess", "<<<<EOF", ""}, Row{"NoName", "<<", ""},
        Row{"NoNameTabs", "<<-", ""}, Row{"EmptyQuotes", "<<''", ""}, Row{"Prefix", "a<<EOF", ""},
        Row{"LessInName", "<<E<F", ""}, Row{"OpenQuote", "<<'E", ""}, Row{"TwoWords", "<<a b", ""}),
    [](const auto& row) { return row.param.name; });

TEST(Heredocs, TakeTheirBodiesInOrder) {
  const Instruction run = first_of("RUN cat <<a - 3<<-'b' > x\n1\n\n# 2 \\\na\n\t\tb1\n\tb\nUSER x\n");
  ASSERT_EQ(run.heredocs.size(), 2U);
  EXPECT_EQ(run.heredocs[0].body, "1\n\n# 2 \\\n");
  EXPECT_EQ(run.heredocs[0].first_line, 2);
  EXPECT_EQ(run.heredocs[1].name, "b");
  EXPECT_EQ(run.heredocs[1].body, "b1\n");
  EXPECT_EQ(run.heredocs[1].fd, 3);
  EXPECT_EQ(run.heredocs[1].first_line, 6);
  EXPECT_EQ(run.text, "cat <<a - 3<<-'b' > x");
  EXPECT_EQ(run.last_line, 7);
  EXPECT_EQ(run.original, "RUN cat <<a - 3<<-'b' > x\n1\n\n# 2 \\\na\n\t\tb1\n\tb");
}

TEST(Heredocs, FollowFlagsAndContinuations) {
  const Dockerfile file = parse("Dockerfile", "FROM a\nRUN --network=none \\\n <<EOF bash\nx\nEOF\nUSER y\n");
  ASSERT_EQ(file.instructions.size(), 3U);
  EXPECT_EQ(file.instructions[1].heredocs.at(0).body, "x\n");
  EXPECT_EQ(file.instructions[1].text, "<<EOF bash");
}

TEST(Heredocs, KeepCarriageReturns) {
  const Instruction run = first_of("RUN <<EOF\r\na\r\nb\r\nEOF\r\n");
  EXPECT_EQ(run.heredocs.at(0).body, "a\r\nb\r\n");
}

TEST(Heredocs, MayEndAtTheEndOfTheFile) {
  EXPECT_EQ(first_of("RUN <<EOF\na\nEOF").heredocs.at(0).body, "a\n");
}

TEST(Heredocs, TheEndIsALineOfItsOwn) {
  EXPECT_EQ(first_of("RUN <<EOF\n EOF\nEOF \nxEOF\nEOF\n").heredocs.at(0).body, " EOF\nEOF \nxEOF\n");
  EXPECT_EQ(first_of("RUN <<-EOF\n\t x\n EOF\n\t\tEOF\n").heredocs.at(0).body, " x\n EOF\n");
}

TEST(Heredocs, AreNoneInJsonQuotesAndOtherInstructions) {
  for (const char* text : {"RUN [\"cat\", \"<<EOF\"]\n", "CMD cat <<EOF\n", "RUN echo 'a <<EOF'\n",
                           "RUN cat <<<EOF\n", "ENV A=<<EOF\n", "RUN echo $((1<<3))\n", "RUN it's <<EOF\n"})
    EXPECT_TRUE(first_of(text).heredocs.empty()) << text;
}

TEST(Heredocs, AreReadInsideTriggers) {
  const Dockerfile file =
      parse("Dockerfile", "FROM a\nONBUILD RUN <<-EOF  \n\tx\n\tEOF\nONBUILD CMD <<EOF\n");
  const Program program = read_program(file);
  const auto& trigger = std::get<OnbuildCommand>(program.stages[0].commands.at(0).what);
  EXPECT_EQ(trigger.instruction, "RUN <<-EOF  \n\tx\nEOF");
  EXPECT_EQ(std::get<OnbuildCommand>(program.stages[0].commands.at(1).what).instruction, "CMD <<EOF");
}

TEST(Heredocs, AreFilesToCopy) {
  const Dockerfile file =
      parse("Dockerfile", "FROM a\nCOPY a <<x.txt <<-'y' /d/\n1\nx.txt\n\t$2\ny\nADD <<z /z\nz\n");
  const Program program = read_program(file);
  const auto& copy = std::get<CopyCommand>(program.stages[0].commands.at(0).what);
  ASSERT_EQ(copy.inline_files.size(), 2U);
  EXPECT_EQ(copy.inline_files[0]->name, "x.txt");
  EXPECT_TRUE(copy.inline_files[0]->expand);
  EXPECT_EQ(copy.inline_files[1]->body, "$2\n");
  EXPECT_FALSE(copy.inline_files[1]->expand);
  ASSERT_EQ(copy.sources.size(), 1U);
  EXPECT_EQ(copy.sources[0].text, "a");
  const auto& add = std::get<CopyCommand>(program.stages[0].commands.at(1).what);
  EXPECT_TRUE(add.add);
  EXPECT_EQ(add.inline_files.at(0)->body, "");
}

TEST(Heredocs, OfEqualNamesKeepTheirOwnBodies) {
  const Dockerfile file = parse("Dockerfile", "FROM a\nCOPY <<f <<f /d/\n1\nf\n2\nf\n");
  const Program program = read_program(file);
  const auto& copy = std::get<CopyCommand>(program.stages[0].commands.at(0).what);
  EXPECT_EQ(copy.inline_files.at(0)->body, "1\n");
  EXPECT_EQ(copy.inline_files.at(1)->body, "2\n");
}

}  // namespace
}  // namespace slipway::dockerfile
