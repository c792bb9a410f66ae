#pragma once
// Expansion that also tells which variables the text used.
#include <set>
#include <string>
#include <string_view>

#include "dockerfile/build_args.h"
#include "dockerfile/text_budget.h"

namespace slipway::dockerfile {

struct TrackedText {
  std::string text;
  std::set<std::string, std::less<>> found, missing;  ///< names that have a value, and that have none
};

/// As expand_word(), which throws TextError.
TrackedText expand_tracked(std::string_view word, const ArgMap& values, char escape, TextBudget& budget);

/// Where in `text`, from `offset` on, the variable is used: the place of its "$"; `offset` itself if that is
/// not found.
std::size_t place_of_variable(std::string_view text, std::size_t offset, std::string_view name);

}  // namespace slipway::dockerfile
