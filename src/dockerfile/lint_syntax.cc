#include "dockerfile/lint_syntax.h"

#include <algorithm>
#include <set>

#include "base/strings.h"
#include "dockerfile/comments.h"
#include "dockerfile/logical_lines.h"
#include "dockerfile/words.h"

namespace slipway::dockerfile {
namespace {

enum class Case { Lower, Upper, Mixed };

Case case_of(std::string_view word) {
  if (word == to_lower(word)) return Case::Lower;
  return word == to_upper(word) ? Case::Upper : Case::Mixed;
}

/// The keyword as written; upper case if it is broken by a line continuation.
std::string written_keyword(const Dockerfile& file, const Instruction& instruction) {
  const std::string_view line = file.lines[static_cast<std::size_t>(instruction.first_line) - 1];
  const auto start = static_cast<std::size_t>(std::max(instruction.column, 1)) - 1;
  const std::string out(line.substr(std::min(start, line.size()), instruction.keyword.size()));
  return to_upper(out) == instruction.keyword ? out : instruction.keyword;
}

class SyntaxLint {
 public:
  SyntaxLint(const Dockerfile& file, LintReport& report) : file_(file), report_(report) {}

  void run() {
    for (const Instruction& instruction : file_.instructions) {
      empty_continuation(instruction);
      if (instruction.keyword == "FROM") from(instruction);
      if (instruction.keyword == "ARG") arg(instruction);
      if (instruction.keyword == "MAINTAINER")
        report_.hit(rules::kMaintainerDeprecated, file_, instruction, keyword_place(instruction),
                    "MAINTAINER is deprecated; use LABEL org.opencontainers.image.authors=… instead");
    }
    keyword_case();
  }

 private:
  SourceLocation keyword_place(const Instruction& at) const { return file_.at(at.first_line, at.column); }

  /// Told at the empty line itself.
  void empty_continuation(const Instruction& at) {
    bool continued = true;
    for (int line = at.first_line; continued && line <= static_cast<int>(file_.lines.size()); ++line) {
      const std::string_view text = file_.lines[static_cast<std::size_t>(line) - 1];
      const std::string_view trimmed = trim_blanks(text);
      if (line > at.first_line && trimmed.starts_with('#')) continue;
      if (line > at.first_line && trimmed.empty()) {
        report_.hit(rules::kNoEmptyContinuation, file_, at, file_.at(line, 1),
                    "this line within a continued instruction is empty; a later release of the language "
                    "refuses that");
        return;
      }
      const bool doubled = trimmed.size() > 1 && trimmed[trimmed.size() - 2] == file_.escape;
      continued = !trimmed.empty() && trimmed.back() == file_.escape && !doubled;
    }
  }

  void from(const Instruction& at) {
    const std::vector<Word> words = split_at_blanks(at.text);
    if (words.size() != 3) return;
    const Word& as = words[1];
    const Word& name = words[2];
    const std::string keyword = written_keyword(file_, at);
    const std::string lower = to_lower(name.text);
    if (case_of(keyword) != Case::Mixed && case_of(as.text) != case_of(keyword))
      report_.hit(rules::kFromAsCasing, file_, at, file_.at(at, as.offset),
                  concat("\"", as.text, "\" and \"", keyword, "\" are written in different cases"));
    if (name.text != lower)
      report_.hit(rules::kStageNameCasing, file_, at, file_.at(at, name.offset),
                  concat("the stage name \"", name.text, "\" should be in lower case: ", lower));
    if (lower == "scratch" || lower == "context")
      report_.hit(rules::kReservedStageName, file_, at, file_.at(at, name.offset),
                  concat("\"", lower, "\" has a meaning of its own; name the stage differently"));
    if (!names_.insert(lower).second)
      report_.hit(rules::kDuplicateStageName, file_, at, file_.at(at, name.offset),
                  concat("the stage name \"", lower, "\" is used twice; from here on it means this stage"));
    description(at, {lower});
  }

  void arg(const Instruction& at) {
    std::vector<std::string> names;
    for (const Word& word : split_words(at.text, file_.escape))
      names.push_back(word.text.substr(0, word.text.find('=')));
    if (!names.empty()) description(at, names);
  }

  /// Of the comments above, the last counts.
  void description(const Instruction& at, const std::vector<std::string>& names) {
    const std::vector<std::string> comments = comments_above(file_, at);
    if (comments.empty()) return;
    const std::string& last = comments.back();
    if (std::ranges::find(names, last.substr(0, last.find(' '))) != names.end()) return;
    report_.hit(rules::kInvalidDefinitionDescription, file_, at, keyword_place(at),
                concat("the comment above ", at.keyword, " is no description of it, which would be \"# ",
                       names.size() == 1 ? names.front() : std::string("NAME"), " …\""));
  }

  /// What stands before the first FROM neither counts nor is told of.
  void keyword_case() {
    const auto first = std::ranges::find(file_.instructions, std::string_view("FROM"), &Instruction::keyword);
    int lower = 0, upper = 0;
    for (auto at = first; at != file_.instructions.end(); ++at) {
      const Case written = case_of(written_keyword(file_, *at));
      lower += written == Case::Lower ? 1 : 0;
      upper += written == Case::Upper ? 1 : 0;
    }
    const bool to_be_lower = lower > upper;
    for (auto at = first; at != file_.instructions.end(); ++at) {
      const std::string written = written_keyword(file_, *at);
      if (case_of(written) == (to_be_lower ? Case::Lower : Case::Upper)) continue;
      report_.hit(rules::kConsistentInstructionCasing, file_, *at, keyword_place(*at),
                  concat("\"", written, "\" should be in ", to_be_lower ? "lower" : "upper",
                         " case, as most instructions here are"));
    }
  }

  const Dockerfile& file_;
  LintReport& report_;
  std::set<std::string> names_;
};

}  // namespace

void lint_syntax(const Dockerfile& file, LintReport& report) { SyntaxLint(file, report).run(); }

}  // namespace slipway::dockerfile
