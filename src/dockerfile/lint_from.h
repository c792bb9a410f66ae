#pragma once
// Checks of FROM, of every stage, needed or not: what its variables become, and which platform it asks for.
#include "dockerfile/build_args.h"
#include "dockerfile/lint_report.h"

namespace slipway::dockerfile {

/// `platform` is what platform_args() gives for one lane; `globals` is global_args() of the same. What cannot
/// be expanded is left to lowering to refuse.
void lint_from(const Dockerfile& file, const Program& program, const LowerOptions& options,
               const ArgMap& platform, const ArgMap& globals, TextBudget& budget, LintReport& report);

}  // namespace slipway::dockerfile
