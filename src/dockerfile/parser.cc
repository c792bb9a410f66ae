#include <algorithm>

#include "base/strings.h"
#include "dockerfile/ast.h"
#include "dockerfile/directives.h"
#include "dockerfile/flags.h"
#include "dockerfile/json_form.h"
#include "dockerfile/logical_lines.h"
#include "dockerfile/text_error.h"
#include "dockerfile/words.h"

namespace slipway::dockerfile {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{10} << 20;

const std::vector<std::string>& keywords() {
  static const std::vector<std::string> kKeywords = {
      "ADD",        "ARG",  "CMD",     "COPY",  "ENTRYPOINT", "ENV",  "EXPOSE", "FROM",   "HEALTHCHECK",
      "LABEL",      "MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"};
  return kKeywords;
}

bool one_of(std::string_view word, std::initializer_list<std::string_view> set) {
  return std::find(set.begin(), set.end(), word) != set.end();
}

std::vector<std::string> split_lines(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    while (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    lines.emplace_back(line);
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

/// "<<EOF", "<<-EOF", "3<<EOF" as a word of its own begins a here-document.
bool begins_heredoc(std::string_view word) {
  std::size_t at = 0;
  while (at < word.size() && word[at] >= '0' && word[at] <= '9') ++at;
  if (!word.substr(at).starts_with("<<")) return false;
  at += 2;
  if (at < word.size() && word[at] == '-') ++at;
  return at < word.size() && word.find('<', at) == std::string_view::npos;
}

void refuse_heredoc(const Dockerfile& file, const Instruction& instruction) {
  if (!one_of(instruction.keyword, {"RUN", "COPY", "ADD"})) return;
  if (instruction.text.find("<<") == std::string::npos) return;
  for (const Word& word : split_words(instruction.text, file.escape))
    if (begins_heredoc(word.text))
      throw InvalidInput(concat("here-documents (", word.text, ") are not supported yet by this slipway; ",
                                "put the text into a file, or join the commands with && and line continuations"),
                         file.at(instruction, word.offset));
}

void read_json(const Dockerfile& file, Instruction& instruction) {
  if (!one_of(instruction.keyword, {"RUN", "CMD", "ENTRYPOINT", "SHELL", "COPY", "ADD", "VOLUME"})) return;
  try {
    instruction.json = parse_json_form(instruction.text);
  } catch (const TextError& error) {
    throw InvalidInput(error.message(), file.at(instruction, error.offset()));
  }
}

std::string original_text(const Dockerfile& file, const LogicalLine& line) {
  std::string out;
  for (int i = line.first_line; i <= line.last_line; ++i) {
    if (i > line.first_line) out += '\n';
    out += file.lines[static_cast<std::size_t>(i) - 1];
  }
  return out;
}

Instruction read_instruction(const Dockerfile& file, const LogicalLine& line) {
  Instruction out;
  out.first_line = line.first_line;
  out.last_line = line.last_line;
  out.column = line.spans.front().column;
  out.original = original_text(file, line);
  const std::string_view text = line.text;
  std::size_t at = 0;
  while (at < text.size() && !is_blank(text[at])) ++at;
  const std::string_view word = text.substr(0, at);
  out.keyword = to_upper(word);
  if (std::find(keywords().begin(), keywords().end(), out.keyword) == keywords().end()) {
    InvalidInput error(concat("unknown instruction: ", word.substr(0, 80)), file.at(line.first_line, out.column));
    if (const auto near = closest_match(out.keyword, keywords())) error.set_hint(concat("did you mean ", *near, "?"));
    throw error;
  }
  at = read_flags(text, at, line.spans, file.escape, out.flags);
  while (at < text.size() && is_blank(text[at])) ++at;
  if (at == text.size()) return out;
  out.text = std::string(text.substr(at));
  out.spans = spans_from(line.spans, at);
  if (out.spans.front().line == out.first_line) out.text_column = out.spans.front().column;
  refuse_heredoc(file, out);
  read_json(file, out);
  return out;
}

}  // namespace

SourceLocation Dockerfile::at(int line, int column) const {
  SourceLocation out{filename, line, column, {}};
  if (line >= 1 && static_cast<std::size_t>(line) <= lines.size()) out.line_text = lines[static_cast<std::size_t>(line) - 1];
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
    throw InvalidInput(concat("a Dockerfile may have 10 MiB at most; ", file.filename, " has ",
                              human_bytes(text.size())));
  file.lines = split_lines(text);
  refuse_nul_bytes(file);
  read_directives(file);
  LogicalLineReader reader(file.lines, file.escape);
  while (const std::optional<LogicalLine> line = reader.next()) file.instructions.push_back(read_instruction(file, *line));
  if (file.instructions.empty()) throw InvalidInput(concat(file.filename, " holds no instructions"));
  return file;
}

}  // namespace slipway::dockerfile
