#include <algorithm>

#include "base/strings.h"
#include "dockerfile/ast.h"
#include "dockerfile/directives.h"
#include "dockerfile/heredocs.h"
#include "dockerfile/instruction_reader.h"
#include "dockerfile/logical_lines.h"
#include "dockerfile/spaces.h"

namespace slipway::dockerfile {
namespace {

// Far more than people write, and little enough for all that follows to be quick.
constexpr std::size_t kMaxBytes = std::size_t{10} << 20;
constexpr std::ptrdiff_t kMaxLines = 1'000'000;
constexpr std::size_t kMaxInstructions = 100'000;
constexpr std::size_t kMaxInstructionBytes = std::size_t{1} << 20;

std::vector<std::string_view> split_lines(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::vector<std::string_view> lines;
  lines.reserve(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1);
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    while (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    lines.push_back(line);
  }
  return lines;
}

void refuse_nul_bytes(const Dockerfile& file) {
  for (std::size_t i = 0; i < file.lines.size(); ++i) {
    const std::size_t at = file.lines[i].find('\0');
    if (at != std::string::npos)
      throw InvalidInput("a Dockerfile is text; this line holds a NUL byte",
                         file.at(static_cast<int>(i) + 1, static_cast<int>(at) + 1));
  }
}

void check_limits(const Dockerfile& file, const LogicalLine& line) {
  if (line.text.size() > kMaxInstructionBytes)
    throw InvalidInput(
        concat("an instruction may have 1 MiB at most; this one has ", human_bytes(line.text.size())),
        file.at(line.first_line, 1));
  if (file.instructions.size() == kMaxInstructions)
    throw InvalidInput(
        concat("a Dockerfile may have ", kMaxInstructions, " instructions at most; this is one more"),
        file.at(line.first_line, 1));
}

bool may_have_heredocs(const Dockerfile& file, const Instruction& instruction) {
  const std::string& keyword = instruction.keyword;
  if (keyword == "ONBUILD" && !instruction.text.empty()) {
    const Instruction trigger = read_trigger(file, instruction);
    return trigger.keyword != "ONBUILD" && may_have_heredocs(file, trigger);
  }
  return (keyword == "RUN" || keyword == "COPY" || keyword == "ADD") && !instruction.json;
}

std::string_view without_leading_tabs(std::string_view line) {
  return line.substr(std::min(line.find_first_not_of('\t'), line.size()));
}

/// The line with its end, which is "\n", "\r\n" or nothing at the end of the file.
std::string_view with_end(const Dockerfile& file, std::size_t index) {
  const char* begin = file.lines[index].data();
  const char* end =
      index + 1 < file.lines.size() ? file.lines[index + 1].data() : file.text->data() + file.text->size();
  return {begin, static_cast<std::size_t>(end - begin)};
}

[[noreturn]] void refuse_unterminated(const Dockerfile& file, const HeredocMark& mark, SourceLocation where) {
  const std::string& name = mark.heredoc.name;
  InvalidInput error(
      concat("the here-document ", mark.word.substr(0, 80),
             " that begins here has no end: no line after it is only \"", name.substr(0, 80), "\""),
      std::move(where));
  for (std::size_t i = static_cast<std::size_t>(mark.heredoc.first_line) - 1; i < file.lines.size(); ++i) {
    if (trim_spaces(file.lines[i]) != name) continue;
    error.set_hint(
        concat("line ", i + 1, " has blanks around \"", name, "\"; remove them",
               without_leading_tabs(file.lines[i]) == name ? ", or write <<- to allow tabs before it" : ""));
    break;
  }
  throw error;
}

/// Takes the physical lines up to the terminator.
void read_body(const Dockerfile& file, LogicalLineReader& reader, const HeredocMark& mark,
               const LogicalLine& line, bool keep_tabs, Instruction& to) {
  Heredoc heredoc = mark.heredoc;
  heredoc.first_line = to.last_line + 1;
  while (const std::optional<std::size_t> index = reader.take_line()) {
    std::string_view text = file.lines[*index];
    to.last_line = static_cast<int>(*index) + 1;
    to.original += concat("\n", text);
    if ((heredoc.strip_tabs ? without_leading_tabs(text) : text) == heredoc.name) {
      to.heredocs.push_back(std::move(heredoc));
      return;
    }
    const std::string_view raw = with_end(file, *index);
    heredoc.body += heredoc.strip_tabs && !keep_tabs ? without_leading_tabs(raw) : raw;
  }
  HeredocMark begun = mark;
  begun.heredoc.first_line = heredoc.first_line;
  const auto [at_line, at_column] = place_of(line.spans, mark.offset);
  refuse_unterminated(file, begun, file.at(at_line, at_column));
}

}  // namespace

SourceLocation Dockerfile::at(int line, int column) const {
  SourceLocation out{filename, line, column, {}};
  if (line >= 1 && static_cast<std::size_t>(line) <= lines.size())
    out.line_text = std::string(lines[static_cast<std::size_t>(line) - 1]);
  return out;
}

SourceLocation Dockerfile::at(const Instruction& instruction, std::size_t offset) const {
  if (instruction.spans.empty()) return at(instruction.first_line, instruction.column);
  const auto [line, column] = place_of(instruction.spans, offset);
  return at(line, column);
}

Dockerfile parse(std::string filename, std::string_view text) {
  Dockerfile file;
  file.filename = std::move(filename);
  if (text.size() > kMaxBytes)
    throw InvalidInput(
        concat("a Dockerfile may have 10 MiB at most; ", file.filename, " has ", human_bytes(text.size())));
  if (const auto lines = std::count(text.begin(), text.end(), '\n'); lines > kMaxLines)
    throw InvalidInput(
        concat("a Dockerfile may have ", kMaxLines, " lines at most; ", file.filename, " has ", lines));
  file.text = std::make_shared<const std::string>(text);
  file.lines = split_lines(*file.text);
  refuse_nul_bytes(file);
  read_directives(file);
  LogicalLineReader reader(file.lines, file.escape);
  while (const std::optional<LogicalLine> line = reader.next()) {
    check_limits(file, *line);
    Instruction instruction = read_instruction(file, *line, &file.warnings);
    if (line->text.find("<<") != std::string::npos && may_have_heredocs(file, instruction)) {
      const bool keep_tabs = instruction.keyword == "ONBUILD";
      for (const HeredocMark& mark : find_heredocs(line->text))
        read_body(file, reader, mark, *line, keep_tabs, instruction);
    }
    file.instructions.push_back(std::move(instruction));
  }
  if (file.instructions.empty()) throw InvalidInput(concat(file.filename, " holds no instructions"));
  return file;
}

}  // namespace slipway::dockerfile
