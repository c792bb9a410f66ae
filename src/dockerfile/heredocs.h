#pragma once
// Here-documents: which words of an instruction begin one. Their bodies are physical lines, which the parser
// takes.
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dockerfile/ast.h"

namespace slipway::dockerfile {

/// A here-document without its body, and where its word begins in the text.
struct HeredocMark {
  Heredoc heredoc;
  std::string word;  ///< as written: <<-"EOF"
  std::size_t offset = 0;
};

/// Those of a whole logical line, flags and all, in order. A line that cannot be read as shell words (a quote
/// is left open, say) has none: it is up to the shell.
std::vector<HeredocMark> find_heredocs(std::string_view line);

/// The word as the beginning of a here-document, or nothing: "<<<EOF", "<<", "x<<EOF" are none.
std::optional<Heredoc> heredoc_of_word(std::string_view word);

}  // namespace slipway::dockerfile
