#pragma once
// Running the program that runs a step: what its output's receiver throws must not end the wait before the
// step's processes are gone.
#include <functional>
#include <stop_token>
#include <string_view>

#include "base/subprocess.h"

namespace slipway {

/// run_process() with the output given to `receive`. If that throws, the step is stopped and the exception
/// comes out once it is. The result's peak_memory is what all of its processes had at once (MemoryWatch), as far
/// as that was seen.
ProcessResult run_step_process(Command command,
                               const std::function<void(int stream, std::string_view bytes)>& receive,
                               const std::stop_token& stop);

}  // namespace slipway
