#pragma once
// Which checks are made, as "# check=" says at the top of a Dockerfile and above single instructions.
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "dockerfile/lint_rules.h"

namespace slipway::dockerfile {

struct LintOptions {
  bool skip_all = false, experimental_all = false;
  std::set<std::string, std::less<>> skip, experimental;
  bool error = false;  ///< a hit fails the build

  /// Whether hits of the rule are told. As BuildKit has it, "skip" is for rules that are on by themselves,
  /// "experimental" for those that are not.
  bool wants(const LintRule& rule) const;
  /// With what `other` adds; its `error` is not taken.
  void merge(const LintOptions& other);
};

/// "skip=A,B;error=true;experimental=all". Throws TextError at the part that is wrong. A name that no rule
/// has is no error: `unknown`, if given, gets a line for each, with the name that may have been meant.
LintOptions parse_lint_options(std::string_view text, std::vector<std::string>* unknown = nullptr);

}  // namespace slipway::dockerfile
