#pragma once
// What is recorded of a step's result beside its snapshot.
#include <string>

namespace slipway {

struct ResultNotes {
  std::string description = {};  ///< for people: what the step was
  std::string emulation = {};    ///< how emulated steps in it were run (nodes/emulation_marks.h)
};

}  // namespace slipway
