#pragma once
// A Dockerfile as parsed: instructions with their flags, words and places, nothing expanded yet.
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace slipway::dockerfile {

struct Flag {
  std::string name;  ///< "from" of --from=build
  std::string value;
  bool has_value = false;
  int line = 0, column = 0;
};

/// Where text[offset…] of an instruction stands in the file, up to the next span.
struct TextSpan {
  std::size_t offset = 0;
  int line = 0, column = 0;
};

/// A here-document of RUN, COPY or ADD: "<<EOF" in the instruction's text, its body after the logical line.
struct Heredoc {
  std::string name;    ///< without quotes
  std::string body;    ///< every line with its line end; leading tabs are gone after "<<-", but for ONBUILD's
  bool expand = true;  ///< false if the name was quoted
  bool strip_tabs = false;
  int fd = 0;          ///< 3 of "3<<EOF"; 0 if not given
  int first_line = 0;  ///< of the body
};

/// One instruction. `text` is the logical line after flags, continuations joined, comments inside dropped.
/// That of ONBUILD is the trigger, with the blanks at its end.
struct Instruction {
  std::string keyword;   ///< upper case: "RUN"
  std::string original;  ///< the source as written, first line to last
  std::vector<Flag> flags;
  std::string text;                              ///< arguments as one string (shell form)
  std::optional<std::vector<std::string>> json;  ///< arguments in JSON (exec) form
  std::vector<Heredoc> heredocs;                 ///< in the order of their "<<" in `text`
  int first_line = 0, last_line = 0;             ///< with the bodies of here-documents
  int text_column = 0;          ///< where the arguments begin on first_line, 0 if on a later line
  int column = 0;               ///< of the keyword on first_line
  std::vector<TextSpan> spans;  ///< places of `text`, by offset; empty if there are no arguments
};

struct Dockerfile {
  std::string filename;                     ///< as shown in messages
  std::shared_ptr<const std::string> text;  ///< of all copies of this Dockerfile: `lines` points into it
  std::vector<std::string_view> lines;      ///< without their ends
  char escape = '\\';
  std::string syntax;                    ///< of "# syntax=", noted only
  std::string check;                     ///< of "# check=", as written
  int check_line = 0, check_column = 0;  ///< of that value
  int directive_lines = 0;               ///< how many lines at the top are parser directives
  std::vector<Instruction> instructions;
  std::vector<std::string> warnings;  ///< about text that means something else than it looks like

  /// The place of a line (and column), for errors.
  SourceLocation at(int line, int column = 0) const;
  /// The place of an instruction as a whole: of its keyword.
  SourceLocation at(const Instruction& instruction) const {
    return at(instruction.first_line, instruction.column);
  }
  /// The place of a flag.
  SourceLocation at(const Flag& flag) const { return at(flag.line, flag.column); }
  /// The place of a byte of an instruction's text; of its keyword if it has no text.
  SourceLocation at(const Instruction& instruction, std::size_t offset) const;
};

/// Throws InvalidInput with file, line, column and excerpt; an unknown instruction names the nearest known
/// one. Lines may end in CRLF; a byte order mark is skipped. Refused are text over 10 MiB, over a million
/// lines or with NUL bytes, an instruction over 1 MiB (bodies of here-documents do not count) and more than
/// 100,000 of them.
Dockerfile parse(std::string filename, std::string_view text);

}  // namespace slipway::dockerfile
