#pragma once
// Between the shim's parts.

namespace slipway::shim {

/// `twin`: where the twin's program lies in the step, below /dev/.slipway/tree/N as the target's lies below /.
__attribute__((visibility("hidden"))) void remember_program(const char* twin);

}  // namespace slipway::shim
