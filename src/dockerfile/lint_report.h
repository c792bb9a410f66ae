#pragma once
// What the checks of one Dockerfile found. Rules are looked for by lint_syntax (the text), lint_from (FROM)
// and StageLint (stages as they are lowered); here is decided what of it is told.
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "dockerfile/ast.h"
#include "dockerfile/lint_options.h"
#include "dockerfile/lint_rules.h"

namespace slipway::dockerfile {

struct LintHit {
  const LintRule* rule = nullptr;
  std::string message;  ///< what was found, one line
  SourceLocation where;
  int first_line = 0, last_line = 0;  ///< of the instruction
};

/// Not thread-safe.
class LintReport {
 public:
  /// Reads the file's "# check=", or instead of it the build argument BUILDKIT_DOCKERFILE_CHECK. Throws
  /// InvalidInput, or UsageError for the argument, if that is malformed; names of no rule are noted.
  void configure(const Dockerfile& file, const std::map<std::string, std::string>& build_args);

  /// Unless the rule is skipped, by the file or by a comment above `at`. The same of one line is told once,
  /// whatever platforms it was found for.
  void hit(const LintRule& rule, const Dockerfile& file, const Instruction& at, SourceLocation where,
           std::string message);
  /// True once so much was told that nothing more will be; for callers that would do much work for a hit.
  bool full() const { return hits_.size() >= kMostHits; }
  /// Something about the checks themselves that is no hit; each text once.
  void note(std::string message);

  /// By line.
  std::vector<LintHit> hits() const;
  const std::vector<std::string>& notes() const { return notes_; }
  /// Throws InvalidInput if there are hits and "error=true" was given.
  void throw_if_failing() const;

 private:
  static constexpr std::size_t kMostHits = 500;

  LintOptions options_;
  std::vector<LintHit> hits_;
  std::vector<std::string> notes_;
  std::set<std::tuple<const LintRule*, int, std::string>> told_;
};

}  // namespace slipway::dockerfile
