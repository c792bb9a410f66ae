#pragma once
// Explanations and records as people and programs read them.
#include <string>
#include <vector>

#include "history/explain.h"

namespace slipway {

/// One line a step, and under each that ran one line a cause.
std::string explanation_text(const BuildRecord& build, const std::vector<StepExplanation>& told);
std::string explanation_json(const BuildRecord& build, const std::vector<StepExplanation>& told);

/// "FileChanged app.c" in words: "app.c changed: 0123456789ab -> 123456789abc".
std::string describe(const Cause& cause);

}  // namespace slipway
