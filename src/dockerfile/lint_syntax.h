#pragma once
// Checks that need the text alone: no variable has a value yet, and every stage is looked at, needed or not.
#include "dockerfile/ast.h"
#include "dockerfile/lint_report.h"

namespace slipway::dockerfile {

void lint_syntax(const Dockerfile& file, LintReport& report);

}  // namespace slipway::dockerfile
