#pragma once
#include <string>

namespace slipway {

/// For CLI11: refuses "" where a name may be left out, as a script's empty variable is no wish for what is
/// usual then.
inline std::string refuse_no_name(const std::string& text) {
  return text.empty() ? "\"\" names nothing" : "";
}

}  // namespace slipway
