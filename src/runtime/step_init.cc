#include "runtime/step_init.h"

namespace slipway {

std::string_view step_init_program() {
#if defined(SLIPWAY_HAS_STEP_INIT)
  static constexpr unsigned char kProgram[] = {
#include "runtime/step_init/bytes.inc"
  };
  return {reinterpret_cast<const char*>(kProgram), sizeof kProgram};
#else
  return {};
#endif
}

}  // namespace slipway
