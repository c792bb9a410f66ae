#pragma once
// Checking a Dockerfile in a test.
#include <string>
#include <string_view>
#include <vector>

#include "dockerfile/lint_report.h"
#include "lowering.h"

namespace slipway::testing {

inline dockerfile::LintReport lint_text(std::string_view text,
                                        dockerfile::LowerOptions options = options_for({"linux/amd64"}),
                                        FakeImageResolver resolver = usual_images()) {
  dockerfile::LintReport report;
  const dockerfile::Dockerfile file = dockerfile::parse("Dockerfile", text);
  dockerfile::lower(file, options, resolver, report, {});
  return report;
}

/// "UndefinedVar 3:6", in the report's order.
inline std::vector<std::string> places_of(const dockerfile::LintReport& report) {
  std::vector<std::string> out;
  for (const dockerfile::LintHit& hit : report.hits())
    out.push_back(concat(hit.rule->name, " ", hit.where.line, ":", hit.where.column));
  return out;
}

inline std::vector<std::string> places_of(std::string_view text) { return places_of(lint_text(text)); }

}  // namespace slipway::testing
