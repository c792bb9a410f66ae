#include "dockerfile/lint_report.h"

#include <algorithm>

#include "base/strings.h"
#include "dockerfile/comments.h"
#include "dockerfile/text_error.h"

namespace slipway::dockerfile {

namespace {
constexpr const char* kCheckArg = "BUILDKIT_DOCKERFILE_CHECK";
}

void LintReport::configure(const Dockerfile& file, const std::map<std::string, std::string>& build_args) {
  std::vector<std::string> unknown;
  if (const auto given = build_args.find(kCheckArg); given != build_args.end()) {
    try {
      options_ = parse_lint_options(given->second, &unknown);
    } catch (const TextError& error) {
      throw UsageError(concat("--build-arg ", kCheckArg, ": ", error.message()));
    }
    for (std::string& line : unknown) note(concat(kCheckArg, ": ", line));
    return;
  }
  try {
    options_ = parse_lint_options(file.check, &unknown);
  } catch (const TextError& error) {
    throw InvalidInput(error.message(),
                       file.at(file.check_line, file.check_column + static_cast<int>(error.offset())));
  }
  for (std::string& line : unknown) note(concat(file.filename, ":", file.check_line, ": ", line));
}

void LintReport::hit(const LintRule& rule, const Dockerfile& file, const Instruction& at,
                     SourceLocation where, std::string message) {
  LintOptions options = options_;
  if (const std::string above = check_above(file, at); !above.empty()) {
    try {
      std::vector<std::string> unknown;
      options.merge(parse_lint_options(above, &unknown));
      for (std::string& line : unknown)
        note(concat(file.filename, ":", at.first_line, ": ", line, " in the comment above"));
    } catch (const TextError&) {
      // A comment, after all: it may say anything.
    }
  }
  if (!options.wants(rule) || !told_.emplace(&rule, where.line, message).second) return;
  if (full()) return;
  constexpr std::size_t kLongestExcerpt = 1000;
  if (where.line_text.size() > kLongestExcerpt)
    where.line_text = concat(where.line_text.substr(0, kLongestExcerpt), "…");
  const bool inside = at.first_line <= where.line && where.line <= at.last_line;
  const int first = inside ? at.first_line : where.line;
  const int last = inside ? at.last_line : where.line;
  hits_.push_back({&rule, std::move(message), std::move(where), first, last});
  if (full()) note(concat(kMostHits, " hits of the checks are told; there may be more"));
}

void LintReport::note(std::string message) {
  if (std::ranges::find(notes_, message) == notes_.end()) notes_.push_back(std::move(message));
}

std::vector<LintHit> LintReport::hits() const {
  std::vector<LintHit> out = hits_;
  std::ranges::stable_sort(out, {},
                           [](const LintHit& hit) { return std::pair(hit.where.line, hit.where.column); });
  return out;
}

void LintReport::throw_if_failing() const {
  if (!options_.error || hits_.empty()) return;
  std::set<std::string, std::less<>> names;
  for (const LintHit& found : hits_) names.emplace(found.rule->name);
  InvalidInput error(concat("the Dockerfile breaks rules that it is checked by with error=true: ",
                            join({names.begin(), names.end()}, ", ")));
  error.set_hint("each is told above; \"# check=skip=RULE\" above an instruction lets one pass");
  throw error;
}

}  // namespace slipway::dockerfile
