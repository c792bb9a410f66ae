#pragma once
// Variable expansion as the Dockerfile language has it: quotes, escapes, $v, ${v} and its modifiers. One
// pass: what a variable gives is not expanded again.
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dockerfile/text_budget.h"

namespace slipway::dockerfile {

/// The value of a variable, or nothing if it is not set. The view must live until the expansion is done.
using Lookup = std::function<std::optional<std::string_view>(std::string_view name)>;

/// The longest text that one word may become.
inline constexpr std::size_t kMaxExpandedWord = std::size_t{1} << 20;

/// The word with quotes and escapes taken off and variables put in. Throws TextError at the place in `word`:
/// a quote or brace that is not closed, a bad modifier, ${v:?message}, more than kMaxExpandedWord or the
/// budget allows.
std::string expand_word(std::string_view word, const Lookup& lookup, char escape, TextBudget& budget);

/// Text that is no word: the body of a here-document, the command that a step's name shows.
enum class Quotes {
  Remove,    ///< as in words
  Keep,      ///< they stay, and single ones still stop expansion
  Ordinary,  ///< characters like others
};
struct TextRules {
  Quotes quotes = Quotes::Remove;
  bool keep_unset = false;  ///< variables that are not set stay as written
};
/// As expand_word(), by other rules; the text itself does not count against kMaxExpandedWord.
std::string expand_text(std::string_view text, const Lookup& lookup, char escape, TextBudget& budget,
                        const TextRules& rules);

/// The same, but blanks that are not quoted, those in values too, end a word: EXPOSE $PORTS.
std::vector<std::string> expand_words(std::string_view word, const Lookup& lookup, char escape,
                                      TextBudget& budget);

}  // namespace slipway::dockerfile
