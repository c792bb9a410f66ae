#pragma once
// The comments above an instruction, which describe it ("# VERSION what it is for") or change its checks ("#
// check=…").
#include <string>
#include <string_view>
#include <vector>

#include "dockerfile/ast.h"

namespace slipway::dockerfile {

/// The comments right above the instruction, top to bottom, without "#" and blanks around; a thousand lines
/// at most. An empty line or comment ends them; parser directives are none.
std::vector<std::string> comments_above(const Dockerfile& file, const Instruction& instruction);

/// What a comment above says of `name`: "the build stage" of "# build the build stage". Empty if there is
/// none.
std::string description_of(const Dockerfile& file, const Instruction& instruction, std::string_view name);

/// "skip=A" of a comment "# check=skip=A why" above the instruction, the first if there are several; empty
/// lines may stand between. Empty if there is none.
std::string check_above(const Dockerfile& file, const Instruction& instruction);

}  // namespace slipway::dockerfile
