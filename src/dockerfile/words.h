#pragma once
// Splitting an instruction's text into words, each with its place.
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::dockerfile {

struct Instruction;

/// A word as written: quotes and escapes are still there.
struct Word {
  std::string text;
  std::size_t offset = 0;  ///< in the instruction's text
};

/// At blanks, whatever they stand in (FROM, COPY, EXPOSE…).
std::vector<Word> split_at_blanks(std::string_view text);
/// The strings of the JSON form, which have no offsets, or the text split at blanks.
std::vector<Word> words_of(const Instruction& instruction);
/// At blanks that are neither quoted nor escaped (ENV, LABEL, ARG). A quote that is not closed runs to the
/// end.
std::vector<Word> split_words(std::string_view text, char escape);

}  // namespace slipway::dockerfile
