#pragma once
// How a step ended. A failure is data: no exception leaves a task.
#include <exception>
#include <string>
#include <variant>

namespace slipway {

struct Succeeded {};
struct Failed {
  std::string message;
  bool retryable = false;
  std::exception_ptr error;   ///< what the step threw, for the exit code and the source excerpt
};
struct Skipped {};            ///< a step it needs failed
struct StepCancelled {};
using StepOutcome = std::variant<Succeeded, Failed, Skipped, StepCancelled>;

}  // namespace slipway
