#pragma once
// The "--name=value" words between an instruction's keyword and its arguments.
#include <optional>
#include <string_view>
#include <vector>

#include "dockerfile/ast.h"

namespace slipway::dockerfile {

/// Reads the flags that follow text[at] into `flags`; quotes and escapes are taken off. "--" alone ends them.
/// Returns where the arguments begin.
std::size_t read_flags(std::string_view text, std::size_t at, const std::vector<TextSpan>& spans, char escape,
                       std::vector<Flag>& flags);

/// What an instruction allows.
struct FlagRule {
  enum class Kind {
    Value,    ///< needs a value, once
    Values,   ///< needs a value, may be repeated
    Boolean,  ///< --link, --link=true, --link=false; once
  };
  std::string_view name;
  Kind kind = Kind::Value;
};

/// Throws InvalidInput at the flag for one that is unknown (with the nearest known one, or the instruction
/// that it is for), repeated, without a value, or neither true nor false.
void check_flags(const Dockerfile& file, const Instruction& instruction, const std::vector<FlagRule>& rules);

/// What a checked boolean flag says; nothing if it is not given.
std::optional<bool> boolean_flag(const Instruction& instruction, std::string_view name);

/// The flag of that name, or null.
const Flag* find_flag(const Instruction& instruction, std::string_view name);
std::vector<const Flag*> find_flags(const Instruction& instruction, std::string_view name);

}  // namespace slipway::dockerfile
