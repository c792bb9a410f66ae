#include "dockerfile/instruction_reader.h"

#include <algorithm>

#include "base/strings.h"
#include "dockerfile/flags.h"
#include "dockerfile/json_form.h"
#include "dockerfile/spaces.h"
#include "dockerfile/text_error.h"

namespace slipway::dockerfile {
namespace {

/// More of them would say nothing new.
constexpr std::size_t kMaxWarnings = 100;

const std::vector<std::string>& keywords() {
  static const std::vector<std::string> kKeywords = {
      "ADD",   "ARG",        "CMD",     "COPY", "ENTRYPOINT", "ENV",        "EXPOSE", "FROM",   "HEALTHCHECK",
      "LABEL", "MAINTAINER", "ONBUILD", "RUN",  "SHELL",      "STOPSIGNAL", "USER",   "VOLUME", "WORKDIR"};
  return kKeywords;
}

bool one_of(std::string_view word, std::initializer_list<std::string_view> set) {
  return std::find(set.begin(), set.end(), word) != set.end();
}

std::string original_text(const Dockerfile& file, const LogicalLine& line) {
  std::string out;
  for (int i = line.first_line; i <= line.last_line; ++i) {
    if (i > line.first_line) out += '\n';
    out += file.lines[static_cast<std::size_t>(i) - 1];
  }
  return out;
}

void read_json(const Dockerfile& file, Instruction& instruction, std::vector<std::string>* warnings) {
  if (!one_of(instruction.keyword, {"RUN", "CMD", "ENTRYPOINT", "SHELL", "COPY", "ADD", "VOLUME"})) return;
  try {
    instruction.json = parse_json_form(instruction.text);
  } catch (const TextError& error) {
    throw InvalidInput(error.message(), file.at(instruction, error.offset()));
  }
  if (instruction.json || warnings == nullptr || warnings->size() == kMaxWarnings) return;
  if (const auto wrong = looks_like_json_form(instruction.text)) {
    const auto [line, column] = place_of(instruction.spans, *wrong);
    warnings->push_back(concat(file.filename, ":", line, ":", column,
                               ": this begins like a JSON array but is no valid JSON here; ",
                               instruction.keyword, " takes it as plain text"));
  }
}

/// Such as a program's name, which nobody writes in capitals.
bool is_command_name(std::string_view word) {
  return word.size() <= 40 && std::ranges::all_of(word, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' ||
                  c == '/';
         });
}

[[noreturn]] void refuse_unknown(const Dockerfile& file, std::string_view word, std::string_view keyword,
                                 const SourceLocation& where) {
  if (word.empty())
    throw InvalidInput(concat("a line that is only \"", file.escape, "\" continues nothing; remove it"),
                       where);
  InvalidInput error(concat("unknown instruction: ", word.substr(0, 80)), where);
  if (one_of(word, {"&&", "||", "|", ";", "}", "fi", "done"}))
    error.set_hint(concat("if this goes on with the line above, that must end with \"", file.escape, "\""));
  else if (const auto near = closest_match(keyword, keywords()))
    error.set_hint(concat("did you mean ", *near, "?"));
  else if (is_command_name(word))
    error.set_hint(concat("if this is a command, write RUN ", word,
                          " …; if it goes on with the line above, that must end with \"", file.escape, "\""));
  throw error;
}

}  // namespace

Instruction read_instruction(const Dockerfile& file, const LogicalLine& line,
                             std::vector<std::string>* warnings) {
  Instruction out;
  out.first_line = line.first_line;
  out.last_line = line.last_line;
  out.original = original_text(file, line);
  const std::string_view text = line.text;
  const std::size_t start = leading_spaces(text);
  std::size_t at = start;
  while (at < text.size() && !is_blank(text[at])) ++at;
  const std::string_view word = trim_spaces(text.substr(start, at - start));
  const auto [word_line, word_column] = place_of(line.spans, start);
  out.column = word_line == out.first_line ? word_column : 1;
  out.keyword = to_upper(word.substr(0, 80));
  if (word.size() > 80 || std::find(keywords().begin(), keywords().end(), out.keyword) == keywords().end())
    refuse_unknown(file, word, out.keyword, file.at(word_line, word_column));
  at = read_flags(text, at, line.spans, file.escape, out.flags);
  at += leading_spaces(text.substr(at));
  if (at == text.size()) return out;
  out.text = std::string(out.keyword == "ONBUILD" ? text.substr(at) : trim_spaces(text.substr(at)));
  out.spans = spans_from(line.spans, at);
  if (out.spans.front().line == out.first_line) out.text_column = out.spans.front().column;
  read_json(file, out, warnings);
  return out;
}

Instruction read_trigger(const Dockerfile& file, const Instruction& onbuild) {
  const LogicalLine line{onbuild.text, onbuild.spans, onbuild.spans.front().line, onbuild.last_line};
  Instruction out = read_instruction(file, line, nullptr);
  out.heredocs = onbuild.heredocs;
  return out;
}

}  // namespace slipway::dockerfile
