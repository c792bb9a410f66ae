#pragma once
// The program that is process 1 of an emulated step (step_init/main.cc says why).
#include <string_view>

namespace slipway {

/// Where a step sees it: in /dev, which is never part of an image.
inline constexpr std::string_view kStepInitPath = "/dev/.slipway-init";

/// The bytes of the program, for the machine that this was built for. Empty if it is not known there.
std::string_view step_init_program();

}  // namespace slipway
