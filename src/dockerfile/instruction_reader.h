#pragma once
// From a logical line to an instruction: keyword, flags, arguments. Nothing is known here of what a keyword
// takes.
#include "dockerfile/ast.h"
#include "dockerfile/logical_lines.h"

namespace slipway::dockerfile {

/// The instruction of a logical line, without here-documents. Throws InvalidInput for an unknown keyword
/// (with the nearest known one) and for a JSON array of anything but strings. An array that is no JSON is
/// shell text, as BuildKit has it; `warnings`, if given, is told of it.
Instruction read_instruction(const Dockerfile& file, const LogicalLine& line,
                             std::vector<std::string>* warnings);

/// What an ONBUILD instruction's text would be as an instruction of its own, here-documents included.
Instruction read_trigger(const Dockerfile& file, const Instruction& onbuild);

}  // namespace slipway::dockerfile
